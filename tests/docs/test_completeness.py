"""Everything that users can name is documented, with what the code says of it."""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import re
import string
import unittest
from collections.abc import Iterator
from typing import Any

from django.core.management import load_command_class
from django.dispatch import Signal

import durable_django
from durable_django import conf, exceptions, signals, testing
from durable_django.api.workflows import WorkflowDefinition
from durable_django.base.payloads.decoding import UNPACKERS
from durable_django.models.status import Status
from durable_django.models.workflow import Workflow
from tests.docs.pages import ROOT, page

PACKAGE = ROOT / "durable_django"
SOURCE = {path: path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
#: Options that Django gives to every command.
DJANGOS_OWN = {
    "--help",
    "--version",
    "--verbosity",
    "--settings",
    "--pythonpath",
    "--traceback",
    "--no-color",
    "--force-color",
    "--skip-checks",
}
#: Functions that ARCHITECTURE.md mentions and that are somebody else's.
FROM_ELSEWHERE = {"atomic", "on_commit", "using"}


class Reference(unittest.TestCase):
    def test_every_setting_stands_in_its_table_with_its_default(self):
        """A row of the settings page gives the key and the default that conf.py has."""
        rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]*)` \|", page("docs/reference/settings.md").text, re.MULTILINE))
        defaults = conf.defaults().items()
        self.assertEqual({key: json.dumps(value).replace("true", "True") for key, value in defaults}, rows)

    def test_every_check_has_a_section(self):
        """Each id that a system check reports has a heading of its own, and no other id has."""
        reported = set(re.findall(r"durable_django\.[EW]\d{3}", "".join(SOURCE.values())))
        sections = {title for title in page("docs/reference/checks.md").sections if title.startswith("durable_django.")}
        self.assertEqual(reported, sections)

    def test_every_error_has_a_section_with_its_attributes(self):
        """Each error class has a heading, and its section names the facts that its template words."""
        sections = page("docs/reference/errors.md").sections
        missing = [kind.__name__ for kind in error_classes() if kind.__name__ not in sections]
        facts = [
            f"{kind.__name__}.{fact}"
            for kind in error_classes()
            if kind is not exceptions.DurableError and kind.__name__ in sections
            for fact in facts_of(kind)
            if f"`{fact}`" not in sections[kind.__name__]
        ]
        self.assertEqual([], missing + facts)

    def test_the_tree_of_errors_is_that_of_the_code(self):
        """The drawing on the errors page shows each class at its depth, with the base that it has from elsewhere."""
        drawing = page("docs/reference/errors.md").code_in("")[0]
        lines = re.findall(r"^([│├└─ ]*)(\w+)(?: +\((\w+)\))?$", drawing, re.MULTILINE)
        shown = {name: (len(lead) // 4, base) for lead, name, base in lines}
        self.assertEqual({kind.__name__: (depth_of(kind), other_base_of(kind)) for kind in error_classes()}, shown)

    def test_every_signal_has_a_row(self):
        """The table of signals names each one."""
        names = {name for name, value in vars(signals).items() if isinstance(value, Signal)}
        rows = set(re.findall(r"^\| `(\w+)` \|", page("docs/reference/signals.md").text, re.MULTILINE))
        self.assertEqual(names, rows)

    def test_every_public_name_is_documented(self):
        """Each name of the package is on the page of the API or of the errors."""
        text = page("docs/reference/api.md").text + page("docs/reference/errors.md").text
        self.assertEqual([], [name for name in durable_django.__all__ if not re.search(rf"\b{name}\b", text)])

    def test_every_argument_is_documented(self):
        """Each keyword of what users declare and start with is in the table of its section."""
        sections = page("docs/reference/api.md").sections
        documented = {
            "workflow": durable_django.workflow,
            "step": durable_django.step,
            "Retry": durable_django.Retry,
            "WorkflowDefinition.using": WorkflowDefinition.using,
        }
        missing = [
            f"{title}({name}=)"
            for title, function in documented.items()
            for name in keywords_of(function)
            if f"| `{name}` |" not in sections[title]
        ]
        self.assertEqual([], missing)

    def test_every_verb_stands_with_its_arguments(self):
        """Each function that can be imported is shown with its arguments, those of its async twin are the same."""
        text = page("docs/reference/api.md").text
        verbs = {name: value for name in durable_django.__all__ if inspect.isfunction(value := public(name))}
        missing = [
            f"{name}({argument})"
            for name in verbs
            for argument in arguments_of(verbs[twin_of(name) or name])
            if argument not in shown_with(twin_of(name) or name, text)
        ]
        others = [
            name for name in verbs if (of := twin_of(name)) and arguments_of(verbs[of]) != arguments_of(verbs[name])
        ]
        self.assertEqual([], missing + others)

    def test_every_testing_helper_has_a_section(self):
        """Each public name of durable_django.testing has a heading, and its arguments are in the section."""
        sections = page("docs/reference/testing.md").sections
        missing = [
            f"{name}({argument}=)"
            for name in testing.__all__
            for argument in [*keywords_of(getattr(testing, name)), name]
            if argument not in sections.get(name, "")
        ]
        self.assertEqual([], missing)

    def test_every_tag_of_the_stored_format_is_documented(self):
        """Each tag that can stand in a row is on the page of the stored format."""
        text = page("docs/reference/payloads.md").text
        tags = [tag for tag in UNPACKERS if not tag.startswith("custom:")]
        self.assertEqual([], [tag for tag in tags if f'"{tag}"' not in text and f"`{tag}`" not in text])

    def test_every_verb_on_workflows_is_documented(self):
        """The queryset methods for users are on the page of the API."""
        text = page("docs/reference/api.md").text
        verbs = ["queued", "running", "waiting", "paused", "finished", "failed", "orphaned", "overdue"]
        self.assertEqual([], [verb for verb in verbs if f"`{verb}()`" not in text])
        self.assertEqual([], [verb for verb in ("cancel", "pause", "resume") if f"`{verb}(" not in text])

    def test_every_state_is_explained(self):
        """The page of states has a row for each, and the diagram shows it."""
        text = page("docs/explanation/states.md").text
        rows = re.findall(r"^\| ([A-Z]+) \| `(\w+)` \|", text, re.MULTILINE)
        self.assertEqual([(status.name, status.value) for status in Status], rows)

    def test_every_option_of_the_commands_is_documented(self):
        """Each option of `manage.py worker` and of each verb of `manage.py durable` is on the page of the commands."""
        text = page("docs/reference/command-line.md").text
        missing = [f"{place} {option}" for place, option in options() if f"{option}" not in text]
        self.assertEqual([], missing)


class Architecture(unittest.TestCase):
    def test_every_room_is_listed(self):
        """ARCHITECTURE.md names each file of the package: add new ones to its tables."""
        text = page("ARCHITECTURE.md").text
        rooms = [path.relative_to(PACKAGE).as_posix() for path in SOURCE if path.name != "__init__.py"]
        written = [room for room in rooms if not room.startswith("migrations/")]
        short = {room: room.removeprefix("base/payloads/") for room in written}
        self.assertEqual([], [room for room in written if f"`{short[room]}`" not in text])

    def test_no_room_is_listed_that_is_gone(self):
        """Each path of the package that ARCHITECTURE.md names exists."""
        folders = "|".join(path.name for path in PACKAGE.iterdir() if path.is_dir())
        named = re.findall(rf"`((?:{folders})/[\w/.]*)`", page("ARCHITECTURE.md").text)
        self.assertEqual([], [name for name in named if not (PACKAGE / name).exists()])

    def test_every_function_that_is_named_exists(self):
        """A name with brackets in ARCHITECTURE.md is defined somewhere in the package."""
        named = set(re.findall(r"`(?:[\w]+\.)*(\w+)\(\)`", page("ARCHITECTURE.md").text)) - FROM_ELSEWHERE
        defined = {name for text in SOURCE.values() for name in re.findall(r"\b(?:def|class) (\w+)", text)}
        self.assertEqual(set(), named - defined)

    def test_every_index_is_explained(self):
        """The table of indexes has each index and constraint of the models."""
        text = page("ARCHITECTURE.md").text
        names = [
            item.name
            for model in Workflow._meta.app_config.get_models()
            for item in [*model._meta.indexes, *model._meta.constraints]
        ]
        self.assertEqual([], [name for name in names if f"`{name}`" not in text])


def public(name: str) -> Any:
    return getattr(durable_django, name)


def twin_of(name: str) -> str:
    """Return the verb whose async twin it is, with which it is documented; empty if it is none."""
    of = name.removeprefix("a")
    return of if of != name and of in durable_django.__all__ else ""


def arguments_of(function: Any) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    return [each.name for each in parameters if each.name != "func" or each.kind is not each.POSITIONAL_ONLY]


def shown_with(name: str, text: str) -> list[str]:
    """Return the words that stand in brackets behind a name, wherever the page shows it so."""
    return re.findall(r"\w+", " ".join(re.findall(rf"`@?{name}\(([^`]*)\)", text)))


def error_classes() -> list[type[exceptions.DurableError]]:
    found = [kind for kind in vars(exceptions).values() if inspect.isclass(kind)]
    return [kind for kind in found if issubclass(kind, exceptions.DurableError)]


def depth_of(kind: type[exceptions.DurableError]) -> int:
    return sum(issubclass(base, exceptions.DurableError) for base in kind.__mro__) - 1


def other_base_of(kind: type[exceptions.DurableError]) -> str:
    others = [base.__name__ for base in kind.__bases__ if not issubclass(base, exceptions.DurableError)]
    return others[0] if others and kind is not exceptions.DurableError else ""


def facts_of(kind: type[exceptions.DurableError]) -> set[str]:
    """Return the names in the braces of the template; base classes have the general one and are not raised."""
    if kind.__subclasses__():
        return set()
    return {name for _text, name, _format, _conversion in string.Formatter().parse(kind.template) if name}


def keywords_of(function: Any) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    return [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]


def options() -> Iterator[tuple[str, str]]:
    """Yield each option of each command, with the command or the verb that has it."""
    for name in ("worker", "durable"):
        importlib.import_module(f"durable_django.management.commands.{name}")
        parser = load_command_class("durable_django", name).create_parser("manage.py", name)
        yield from options_of(name, parser)


def options_of(place: str, parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb, child in action.choices.items():
                yield place, f"{place} {verb}"
                yield from options_of(f"{place} {verb}", child)
        for option in action.option_strings:
            if option.startswith("--") and option not in DJANGOS_OWN:
                yield place, option
