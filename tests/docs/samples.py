"""
Samples: the Python of one page, run from top to bottom as a reader would type it.

A block whose first line is a comment such as `# accounts/workflows.py` is that module; blocks of one module add up. All
other blocks, and the checks, share one module that has the page's name. Checks find there: `page`, `printed` (what was
printed so far) and `run_tests`. Nothing that sleeps takes its time.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from unittest import TestCase, mock

from durable_django.base import registry, timetable
from durable_django.base.payloads.decoding import UNPACKERS
from durable_django.base.payloads.packing import PACKERS
from durable_django.tasks import serving
from tests.docs.pages import Block, Page

_PLACE = re.compile(r"# (?P<path>[\w/]+)\.py\n")


class SampleModule(ModuleType):
    """A module, and a package, that a sample writes. The settings of every new project know BASE_DIR."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__: list[str] = []
        self.BASE_DIR = Path("/srv/site")


def run(page: Page) -> int:
    """Run the samples of a page with registries of their own. Return how many blocks were run."""
    with _isolated(), mock.patch("time.sleep"), contextlib.redirect_stdout(io.StringIO()) as printed:
        here = _module(slug(page))
        vars(here).update(page=page, printed=printed, run_tests=run_tests)
        count = 0
        for block in page.blocks:
            if block.is_run:
                _run(page, block, here)
                count += 1
    return count


def slug(page: Page) -> str:
    """Return the page's name as Python can use it."""
    return re.sub(r"\W", "_", page.name.removesuffix(".md").lower())


def run_tests(case: type[TestCase]) -> None:
    """Run the tests of a class that a sample defines, on the connection of the running test."""
    names = [name for name in dir(case) if name.startswith("test")]
    assert names, f"{case.__name__} has no tests"
    for name in names:
        test = case(name)
        test.setUp()
        getattr(test, name)()
        test.doCleanups()


@contextlib.contextmanager
def _isolated() -> Iterator[None]:
    """Keep what samples declare from the rest of the suite."""
    with contextlib.ExitStack() as stack:
        stack.callback(_forget_modules)
        stack.enter_context(mock.patch.object(registry, "workflows", registry.WorkflowRegistry()))
        stack.enter_context(mock.patch.object(registry, "queues", registry.QueueRegistry()))
        stack.enter_context(mock.patch.object(timetable, "schedules", timetable.Timetable()))
        for definition in serving.WORKFLOWS:
            registry.workflows.add(definition.registered)
        for codecs in (PACKERS, UNPACKERS):
            stack.enter_context(mock.patch.dict(codecs))
        yield


def _run(page: Page, block: Block, here: ModuleType) -> None:
    place = _PLACE.match(block.code)
    module = here if place is None else _module(place["path"].replace("/", "."))
    # Line numbers of the page: a traceback points into it.
    source = "\n" * (block.line - 1) + block.code
    exec(compile(source, str(page.path), "exec"), vars(module))


def _module(name: str) -> ModuleType:
    """Return the module of that name, made with its packages if this page has not used it yet."""
    made = _made(name)
    package, _, child = name.rpartition(".")
    if package:
        setattr(_module(package), child, made)
    return made


def _made(name: str) -> ModuleType:
    if name not in sys.modules:
        sys.modules[name] = SampleModule(name)
    return sys.modules[name]


def _forget_modules() -> None:
    for name, module in list(sys.modules.items()):
        if isinstance(module, SampleModule):
            del sys.modules[name]
