"""What to do instead, for values that users are known to pass and that cannot be stored."""

from __future__ import annotations

import array
import asyncio
import collections
import concurrent.futures
import contextvars
import functools
import io
import logging
import queue
import re
import socket
import sqlite3
import threading
import types
from collections.abc import AsyncGenerator, Awaitable, Iterator

from django.core.files import File
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models import Field, Manager, Model, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from durable_django.base.payloads.classes import class_path, dotted
from durable_django.base.payloads.packing import PACKERS
from durable_django.base.payloads.refusals import Refusal

RUN_IN_STEP = "Create and use it inside a step; pass what it is made from."

#: First match counts. "{name}" is the class of the value.
ADVICE: tuple[tuple[tuple[type, ...], str, str], ...] = (
    (
        (QuerySet, Manager),
        "a {name} is a query, not its rows.",
        "Pass list(queryset.values_list('pk', flat=True)) and query again in a step.",
    ),
    ((HttpRequest,), "it is a request.", "Pass what is needed of it: request.user, request.POST.dict()."),
    ((HttpResponseBase,), "it is a response.", "Return its data; make the response in the view."),
    ((File, io.IOBase), "it is an open file.", "Pass its name or path and open it in a step."),
    (
        (BaseDatabaseWrapper, CursorWrapper, sqlite3.Connection, sqlite3.Cursor, socket.socket),
        "it is an open connection ({name}).",
        RUN_IN_STEP,
    ),
    (
        (
            type(threading.Lock()),
            type(threading.RLock()),
            threading.Condition,
            threading.Event,
            threading.Semaphore,
            threading.Barrier,
            asyncio.Lock,
            asyncio.Event,
            asyncio.Semaphore,
            asyncio.Condition,
        ),
        "it is a lock ({name}), which means something in one process only.",
        "Use a queue with a concurrency limit, or select_for_update() in a step.",
    ),
    (
        (threading.Thread, concurrent.futures.Future, concurrent.futures.Executor, asyncio.Future, queue.Queue),
        "a {name} lives in one process only.",
        RUN_IN_STEP,
    ),
    (
        (contextvars.ContextVar, contextvars.Context, contextvars.Token, threading.local),
        "a {name} means something in one process only.",
        "Pass its value.",
    ),
    ((types.GeneratorType, Iterator), "a {name} can be read only once.", "Pass list(value)."),
    ((AsyncGenerator,), "a {name} can be read only once.", "Collect its items in a list."),
    ((Awaitable,), "it was not awaited.", "Await it and pass the result."),
    (
        (types.FunctionType, types.BuiltinFunctionType, types.MethodType, functools.partial),
        "it is a function.",
        "Call it in a step; pass its arguments, or a name to choose it by.",
    ),
    ((types.ModuleType,), "it is a module.", "Pass its name."),
    ((re.Pattern,), "it is a compiled pattern.", "Pass value.pattern."),
    ((bytearray, memoryview), "a {name} can change.", "Pass bytes(value)."),
    ((collections.deque, range, array.array), "{name} is not stored.", "Pass list(value)."),
    ((complex,), "{name} is not stored.", "Pass (value.real, value.imag)."),
    ((types.MappingProxyType,), "a {name} shows a dict of somebody else.", "Pass dict(value)."),
    ((logging.Logger, logging.LogRecord), "a {name} belongs to one process.", "Pass its name or text."),
    ((Field,), "a {name} belongs to its model.", "Pass its name."),
)

_OTHER = (
    "Pass the plain values it is made of, make its class a dataclass, or register a codec for it with register_codec()."
)


def refusal_of(value: object) -> Refusal:
    """Return the refusal of a value that nothing packs."""
    kind = type(value)
    if issubclass(kind, type):
        return _refused_class(value)
    for bases, reason, advice in ADVICE:
        if issubclass(kind, bases):
            return Refusal(reason.format(name=kind.__name__), advice)
    return _refused_subclass(kind) or _refused_stranger(kind)


def _refused_class(value: object) -> Refusal:
    if isinstance(value, type) and issubclass(value, Model):
        return Refusal("it is a model class.", f"Pass its label, {value._meta.label!r}, and ask apps.get_model().")
    return Refusal("it is a class.", "Pass a name to choose it by.")


def _refused_subclass(kind: type) -> Refusal | None:
    base = next((base for base in kind.__mro__ if base in PACKERS), None)
    if base is None:
        return None
    name = dotted(class_path(kind))
    if base is tuple and hasattr(kind, "_fields"):
        return Refusal(f"it is a named tuple, {name}.", "Pass tuple(value), or make it a frozen dataclass.")
    return Refusal(
        f"it is {name}, a subclass of {base.__name__}, and would come back as another type.",
        _CONVERSIONS.get(base, _OTHER).format(name=base.__name__),
    )


def _refused_stranger(kind: type) -> Refusal:
    name = dotted(class_path(kind))
    if hasattr(kind, "model_dump"):
        return Refusal(f"{name} is a pydantic model.", "Pass value.model_dump(), or register a codec for it.")
    if hasattr(kind, "__attrs_attrs__"):
        return Refusal(f"{name} is an attrs class.", "Pass attrs.asdict(value), or register a codec for it.")
    if kind.__module__.partition(".")[0] == "numpy":
        return Refusal(f"{name} belongs to numpy.", "Pass value.tolist().")
    return Refusal(f"{name} is not a type that is stored.", _OTHER)


_CONVERSIONS: dict[type, str] = {
    **dict.fromkeys((dict, list, tuple, set, frozenset, str, bytes, int, float), "Pass {name}(value)."),
}
