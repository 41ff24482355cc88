"""Payloads as people see them, on pages and in terminals: described, bounded, and without their secrets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from durable_django import redaction
from durable_django.base import payloads, registry
from durable_django.base.payloads import ErrorDescription
from durable_django.base.texts import plain_sentence
from durable_django.management.history import History, Stored
from durable_django.redaction import Redact

_NO_ERROR = ErrorDescription(type="", message="")


@dataclass(frozen=True)
class Showing:
    """How payloads are shown; every answer is a text without control characters, empty if there is nothing."""

    redact: Redact

    def call(self, history: History, longest: int, *, width: int | None = None) -> str:
        """Return the arguments; those given by place are judged by the names that the loaded code has for them."""
        describe = partial(payloads.describe_call, longest=longest, width=width, redact=self.redact)
        parameters = parameters_of(history.workflow.name)
        return history.arguments.described(lambda text: describe(text, parameters=parameters)) or ""

    def value(self, stored: Stored, longest: int, *, width: int | None = None, name: str = "") -> str:
        """Return a value; `name` is that of what holds it."""
        describe = partial(payloads.describe_value, longest=longest, width=width, redact=self.redact, name=name)
        return stored.described(describe) or ""

    def tree(self, tree: Any) -> Any:
        """Return a parsed value for programs."""
        return payloads.redacted(tree, self.redact)

    def error_line(self, stored: Stored, longest: int) -> str:
        """Return type and message of an error in one line."""
        line = stored.described(partial(payloads.describe_error_line, longest=longest, redact=self.redact))
        return plain_sentence(line or "")

    def error(self, stored: Stored) -> ErrorDescription:
        """Return the parts of an error; without any if there is none, or it is too long to be read."""
        if stored.head is None or stored.is_cut:
            return _NO_ERROR
        return payloads.redacted_error(payloads.describe_error(stored.head), self.redact)

    def attributes(self, history: History) -> Any:
        """Return the attributes."""
        return payloads.redacted(history.workflow.attributes, self.redact)


def showing() -> Showing:
    """Return how payloads are shown by the settings as they are now."""
    return Showing(redaction.chosen())


def parameters_of(name: str) -> tuple[str, ...]:
    """Return the names of a workflow's parameters; none if its code is not loaded here."""
    if not registry.workflows.knows(name):
        return ()
    return tuple(registry.workflows.get(name).signature.parameters)
