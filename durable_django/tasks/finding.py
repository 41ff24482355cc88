"""From the path in a row to the task of that name: what is found there must be a task, or it is not used."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from durable_django.exceptions import TaskFunctionMissing
from durable_django.tasks.sources import AnyTask, is_task


def find_task(path: str) -> AnyTask:
    """
    Return the task at `module.name`, or `module.Class.name`; its module is imported, as for any string in settings.

    Raises TaskFunctionMissing if there is no such module, if importing it fails, or if what is there is not a task.
    """
    parts = path.split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):  # noqa: PLR2004 - a module and a name
        raise TaskFunctionMissing(path=path, reason="that is not the path of anything.")
    module, names = _module_of(path, parts)
    found: Any = module
    for name in names:
        found = getattr(found, name, None)
    if not is_task(found):
        kind = "nothing" if found is None else f"{type(found).__name__}, not a task"
        raise TaskFunctionMissing(path=path, reason=f"in {module.__name__} that is {kind}.")
    task: AnyTask = found
    return task


def _module_of(path: str, parts: list[str]) -> tuple[ModuleType, list[str]]:
    """Return the module with the longest name, and what of the path is left; a class may stand in between."""
    for length in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:length])
        try:
            return importlib.import_module(name), parts[length:]
        except ModuleNotFoundError as error:
            if not (name == error.name or name.startswith(f"{error.name}.")):
                raise TaskFunctionMissing(path=path, reason=f"importing {name} fails: {error}.") from error
        except Exception as error:
            raise TaskFunctionMissing(path=path, reason=f"importing {name} fails: {error!r}.") from error
    raise TaskFunctionMissing(path=path, reason=f"there is no module {parts[0]}.")
