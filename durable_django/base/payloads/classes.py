"""Classes by name: written as `module:Qualified.Name`, found again only among what is already loaded."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import cast

from durable_django.base.payloads.refusals import Refusal


def class_path(kind: type) -> str:
    """Return the path of the class, whether it can be found again or not."""
    # Past the metaclass, which may have attributes of its own.
    module = type.__getattribute__(kind, "__module__")
    return f"{module}:{type.__getattribute__(kind, '__qualname__')}"


def dotted(path: str) -> str:
    """Return the path as Python prints it in a traceback."""
    return path.replace(":", ".", 1).removeprefix("builtins.")


def loaded_class(path: str) -> type | None:
    """
    Return the class at the path if its module is loaded, else None.

    Nothing is imported, called or asked for attributes: a module with `__getattr__`, or a lazy one, would run code.
    """
    module_name, _, qualname = path.partition(":")
    found: object = sys.modules.get(module_name)
    for name in qualname.split("."):
        found = _namespace(found).get(name)
    return cast("type", found) if issubclass(type(found), type) else None


def storable_path(kind: type) -> str:
    """Return the path of a class that any process with the code can find; raise Refusal for others."""
    path = class_path(kind)
    if "<locals>" in path:
        raise Refusal(f"its class {dotted(path)} is local to a function.", "Define the class at the top of a module.")
    if kind.__module__ == "__main__":
        raise Refusal(
            f"its class {kind.__qualname__} is defined in __main__, which another process cannot load.",
            "Move the class into a module.",
        )
    if loaded_class(path) is not kind:
        raise Refusal(
            f"its class cannot be found again as {dotted(path)}.",
            "Define the class at the top of a module, under its own name.",
        )
    return path


def _namespace(owner: object) -> dict[str, object]:
    if issubclass(type(owner), ModuleType):
        namespace: dict[str, object] = object.__getattribute__(owner, "__dict__")
        return namespace
    if issubclass(type(owner), type):
        return dict(type.__getattribute__(cast("type", owner), "__dict__"))
    return {}
