"""
The rules of the house, read from the source of durable_django itself; `make layers` runs this module alone.

One test per rule. Exceptions stand in the tables at the top, each with its reason: to allow one more, add it there.
"""

import ast
import graphlib
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import django
from django.test import SimpleTestCase

ROOT = Path(__file__).parent.parent / "durable_django"
PACKAGE = ROOT.name

#: First match wins; what is not listed is the Django shell, L5. A name ending in a slash is a folder.
FLOORS = {
    "exceptions.py": 0,
    "signals.py": 0,
    "conf.py": 0,
    "redaction.py": 0,
    "base/": 0,
    "models/": 1,
    "migrations/": 1,
    "engine/": 2,
    "api/": 3,
    "worker/": 4,
}
SHELL = 5
FLOOR_NAMES = ("L0 foundations", "L1 models", "L2 engine", "L3 api", "L4 worker", "L5 Django shell")

MAY_IMPORT_INSIDE_FUNCTIONS = {
    "__init__.py": "the public names are resolved on first use",
    "apps.py": "models cannot be imported before the apps are ready",
    "tasks/backend.py": "`@task` makes a backend while apps are still loading: models cannot be imported yet",
}
MAY_READ_THE_WALL_CLOCK = {"base/clock.py": "the one seam that tests move"}
MAY_READ_SETTINGS = {
    "base/clock.py": "USE_TZ decides whether a moment is given back aware",
    "conf.py": "the room of the settings",
    "apps.py": "sees at start whether the project is complete",
    "checks/": "judges the project's settings, also those of others",
    "migrations/": "the user model is named by a setting",
}
MAY_WRITE_ROWS = {
    "models/": "models own all writes to their tables",
    "migrations/": "data migrations",
}
MAY_LOG = {
    "base/logs.py": "words every record",
    "base/records.py": "a filter for users' own records, writes none",
    "base/payloads/advice.py": "knows loggers as values that cannot be stored",
    "management/commands/": "a command chooses where records go",
}
MAY_WRITE_SQL = {
    "engine/wakeups.py": "LISTEN, NOTIFY and data_version have no word in the ORM",
    "models/compiled.py": "executes what the ORM compiled",
    "worker/headroom.py": "asks for a setting of the server",
}
MAY_CATCH_INTERRUPTS = {
    "engine/attempts.py": "turns an interrupt into the fate of the attempt",
    "engine/gathering.py": "leaves a branch that waits, and goes on with the next",
    "engine/boards.py": "lets an operation wait beside others, and ends them all when the run is suspended",
    "engine/rehearsing.py": "has no attempt that an interrupt could end",
    "testing.py": "plays the process that a Crashed ends",
}

WALL_CLOCKS = {
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
    "datetime.date.today",
    "time.ctime",
    "time.gmtime",
    "time.localtime",
    "time.time",
    "time.time_ns",
    "django.utils.timezone.localdate",
    "django.utils.timezone.now",
}
LONGEST_FILE = 400
LONGEST_FUNCTION = 50

Function = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Import:
    """One imported name, as seen by the importing module."""

    module: str  # dotted, absolute
    name: str | None  # what `from module import name` takes
    alias: str
    line: int
    only_for_types: bool


@dataclass(frozen=True)
class Module:
    """One source file of the package."""

    path: Path

    @property
    def room(self) -> str:
        """The path inside the package, as the tables above spell it."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def name(self) -> str:
        parts = self.path.relative_to(ROOT.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def floor(self) -> int:
        return next((floor for place, floor in FLOORS.items() if lies_in(self.room, place)), SHELL)

    @property
    def is_public_face(self) -> bool:
        return self.room == "__init__.py"

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=str(self.path))

    def nodes(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
        return (node for node in ast.walk(self.tree) if isinstance(node, kinds))

    @cached_property
    def imports(self) -> list[Import]:
        typing_only = {
            id(inner)
            for node in self.nodes(ast.If)
            if "TYPE_CHECKING" in ast.unparse(node.test)
            for statement in node.body
            for inner in ast.walk(statement)
        }
        return [
            Import(module, name, alias, node.lineno, id(node) in typing_only)
            for node in self.nodes(ast.Import, ast.ImportFrom)
            for module, name, alias in self.names_imported_by(node)
        ]

    def names_imported_by(self, node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str | None, str]]:
        for item in node.names:
            if isinstance(node, ast.Import):
                yield item.name, None, item.asname or item.name
            else:
                yield self.absolute(node), item.name, item.asname or item.name

    def absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.name.split(".") if self.path.name == "__init__.py" else self.name.split(".")[:-1]
        base = package[: len(package) - node.level + 1]
        return ".".join([*base, *([node.module] if node.module else [])])

    @cached_property
    def full_names(self) -> dict[str, str]:
        """Local name -> dotted name of what it stands for."""
        names = {}
        for item in self.imports:
            if item.name:
                names[item.alias] = f"{item.module}.{item.name}"
            elif item.alias != item.module:
                names[item.alias] = item.module
        return names

    def full_name(self, node: ast.expr) -> str:
        """Return the dotted name behind `dt.datetime.now`, whatever the module was imported as."""
        first, *rest = ast.unparse(node).split(".")
        return ".".join([self.full_names.get(first, first), *rest])


def lies_in(room: str, place: str) -> bool:
    return room.startswith(place) if place.endswith("/") else room == place


MODULES = [Module(path) for path in sorted(ROOT.rglob("*.py"))]
BY_NAME = {module.name: module for module in MODULES}
WRITTEN_BY_HAND = [module for module in MODULES if not lies_in(module.room, "migrations/")]


def target(item: Import) -> Module | None:
    """Return the module of this package that an import reaches, if it is one."""
    return BY_NAME.get(f"{item.module}.{item.name}") or BY_NAME.get(item.module)


def outside(table: dict[str, str]) -> list[Module]:
    """Return the modules that a table of exceptions does not name."""
    return [module for module in MODULES if not any(lies_in(module.room, place) for place in table)]


def at(module: Module, node: ast.AST | int) -> str:
    line = node if isinstance(node, int) else node.lineno
    return f"{PACKAGE}/{module.room}:{line}"


class ArchitectureTestCase(SimpleTestCase):
    def assert_none(self, rule: str, found: list[str]) -> None:
        """Fail with the rule and every place that breaks it."""
        if found:
            self.fail("\n".join([rule, *(f"  {place}" for place in sorted(found))]))


class Imports(ArchitectureTestCase):
    def test_imports_point_downward_or_sideways(self):
        """A module imports from its own floor or a lower one."""
        found = [
            f"{at(module, item.line)} ({FLOOR_NAMES[module.floor]}) imports {other.name} ({FLOOR_NAMES[other.floor]}). "
            "Move the shared part down, or let the upper room call the lower one."
            for module in MODULES
            if not module.is_public_face
            for item in module.imports
            if (other := target(item)) and not other.is_public_face and other.floor > module.floor
        ]

        self.assert_none("Imports point downward or sideways, never up.", found)

    def test_worker_and_api_do_not_know_each_other(self):
        """The floors of users and of processes meet in registry, rows and engine."""
        found = [
            f"{at(module, item.line)} imports {other.name}. Meet in base/registry.py, models/ or engine/."
            for module in MODULES
            for item in module.imports
            if (other := target(item)) and {module.floor, other.floor} == {3, 4}
        ]

        self.assert_none("worker/ and api/ do not import each other.", found)

    def test_the_package_does_not_import_its_own_public_face(self):
        """Inside the package a name is imported from the module that defines it."""
        found = [
            f"{at(module, item.line)} imports {item.name or item.module} from {PACKAGE}. Import it from its module."
            for module in MODULES
            if not module.is_public_face
            for item in module.imports
            if (other := target(item)) and other.is_public_face
        ]

        self.assert_none(f"Only users import from {PACKAGE} itself.", found)

    def test_imports_stand_at_the_top(self):
        """No function imports: it would hide a cycle or a cost."""
        found = {
            f"{at(module, node)} imports inside {function.name}(). Move it to the top; if that makes a cycle, move "
            "the shared part down a floor."
            for module in outside(MAY_IMPORT_INSIDE_FUNCTIONS)
            for function in module.nodes(*Function)
            for node in ast.walk(function)
            if isinstance(node, (ast.Import, ast.ImportFrom))
        }

        self.assert_none("Imports stand at the top of the module.", list(found))

    def test_there_is_no_cycle(self):
        """No module needs itself, by whatever detour."""
        graph = {
            module.name: {
                other.name
                for item in module.imports
                if not item.only_for_types and (other := target(item)) and other is not module
            }
            for module in MODULES
            if not module.is_public_face
        }

        try:
            graphlib.TopologicalSorter(graph).prepare()
        except graphlib.CycleError as error:
            self.fail(f"Imports form a cycle: {' <- '.join(error.args[1])}. Move what they share into a third module.")


class Rooms(ArchitectureTestCase):
    def test_only_clock_knows_the_time(self):
        """The wall clock is read in one room, the seam that tests move."""
        found = [
            f"{at(module, node)} reads {module.full_name(node)}. Ask base/clock.py."
            for module in outside(MAY_READ_THE_WALL_CLOCK)
            for node in module.nodes(ast.Attribute, ast.Name)
            if module.full_name(node) in WALL_CLOCKS
        ]

        self.assert_none("Only base/clock.py reads the wall clock.", found)

    def test_only_conf_reads_settings(self):
        """django.conf.settings is read through durable_settings."""
        found = [
            f"{at(module, item.line)} imports django.conf. Read durable_settings from conf.py."
            for module in outside(MAY_READ_SETTINGS)
            for item in module.imports
            if item.module == "django.conf" or (item.module == "django" and item.name == "conf")
        ]

        self.assert_none(f"Only {', '.join(MAY_READ_SETTINGS)} read Django's settings.", found)

    def test_only_models_write_rows(self):
        """Rows change through verbs of their model or queryset."""
        writers = {"update", "aupdate", "bulk_update", "abulk_update"}
        # dict.update(other) and hash.update(bytes) take positional arguments, QuerySet.update never does.
        updates = [
            f"{at(module, call)} calls .{call.func.attr}(). Give the model or its queryset a verb that does it."
            for module in outside(MAY_WRITE_ROWS)
            for call in module.nodes(ast.Call)
            if isinstance(call.func, ast.Attribute)
            and call.func.attr in writers
            and (not call.args or "bulk" in call.func.attr)
        ]
        assignments = [
            f"{at(module, node)} assigns .status. Give the model a verb that does it."
            for module in outside(MAY_WRITE_ROWS)
            for node in module.nodes(ast.Attribute)
            if node.attr == "status" and isinstance(node.ctx, ast.Store)
        ]

        self.assert_none("Only models/ write rows.", updates + assignments)

    def test_only_logs_words_log_records(self):
        """Other rooms send signals, which base/logs.py words."""
        found = [
            f"{at(module, item.line)} imports logging. Send a signal and word it in base/logs.py."
            for module in outside(MAY_LOG)
            for item in module.imports
            if item.module.split(".")[0] == "logging"
        ]

        self.assert_none("Only base/logs.py logs.", found)

    def test_sql_text_stays_in_its_rooms(self):
        """Everything that the ORM can say is said by the ORM."""
        found = [
            f"{at(module, node)} writes SQL. Say it with the ORM, or move it to {' or '.join(MAY_WRITE_SQL)}."
            for module in outside({**MAY_WRITE_SQL, "migrations/": "may need what the ORM cannot say"})
            for node in module.nodes(ast.Call, ast.alias)
            if writes_sql(node)
        ]

        self.assert_none("SQL text stands only where the ORM has no word.", found)

    def test_interrupts_are_caught_in_one_room(self):
        """Control flow passes through everything up to the attempt, but for a branch that waits beside others."""
        interrupts = {node.name for node in BY_NAME[f"{PACKAGE}.base.interrupts"].nodes(ast.ClassDef)}
        found = [
            f"{at(module, handler)} catches {ast.unparse(handler.type)}. Let it pass; use finally to tidy up."
            for module in outside(MAY_CATCH_INTERRUPTS)
            for handler in module.nodes(ast.ExceptHandler)
            if handler.type
            and not passes_on(handler)
            and interrupts & {ast.unparse(kind).split(".")[-1] for kind in caught(handler.type)}
        ]

        self.assert_none(f"Interrupts are caught in {' and '.join(MAY_CATCH_INTERRUPTS)}.", found)


class Sizes(ArchitectureTestCase):
    def test_files_are_short(self):
        """A file over 400 lines holds more than one concern."""
        found = [
            f"{at(module, lines)} has {lines} lines. Split it by concern."
            for module in WRITTEN_BY_HAND
            if (lines := len(module.text.splitlines())) > LONGEST_FILE
        ]

        self.assert_none(f"A file has at most {LONGEST_FILE} lines.", found)

    def test_functions_are_short(self):
        """A function over 50 lines does more than one thing."""
        found = [
            f"{at(module, node)} {node.name}() has {lines} lines. Name its parts and make them functions."
            for module in WRITTEN_BY_HAND
            for node in module.nodes(*Function)
            if (lines := node.end_lineno - node.lineno + 1) > LONGEST_FUNCTION
        ]

        self.assert_none(f"A function has at most {LONGEST_FUNCTION} lines.", found)

    def test_every_module_says_what_it_is_for(self):
        """The docstring of a module is its concern in one sentence."""
        found = [
            f"{at(module, 1)} has no docstring. Say in one sentence which concern lives here."
            for module in WRITTEN_BY_HAND
            if module.tree.body and not ast.get_docstring(module.tree)
        ]

        self.assert_none("Every module has a docstring.", found)


class PublicFace(ArchitectureTestCase):
    def test_no_submodule_is_named_like_a_public_name(self):
        """Importing such a module would replace the name on the package."""
        submodules = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or path.is_dir()}
        found = [
            f"{PACKAGE}/{name} is a module and a public name. Move the module into a folder, or rename one of them."
            for name in public_names() & submodules
        ]

        self.assert_none("A top-level module never shares its name with a public name.", found)

    def test_all_lists_exactly_what_is_exported(self):
        """`__all__`, dir() and the attributes of the package agree."""
        django.setup()
        package = importlib.import_module(PACKAGE)
        submodules = {name.split(".")[1] for name in BY_NAME if name != PACKAGE}
        visible = {name for name in dir(package) if not name.startswith("_")} - submodules
        missing = {name for name in package.__all__ if not hasattr(package, name)}

        self.assertEqual(missing, set(), "In __all__, but not there. Export it, or strike it from the list.")
        self.assertEqual(sorted(set(package.__all__)), sorted(package.__all__), "__all__ names something twice.")
        self.assertEqual(
            visible - set(package.__all__),
            set(),
            "Visible on the package, but not in __all__. Add it to the list, or begin its name with an underscore.",
        )


def writes_sql(node: ast.Call | ast.alias) -> bool:
    """Answer for cursor.execute(), anything.execute("text"), .raw(), .extra() and RawSQL."""
    if isinstance(node, ast.alias):
        return node.name == "RawSQL"
    if not isinstance(node.func, ast.Attribute):
        return False
    if node.func.attr in {"raw", "extra"}:
        return True
    if node.func.attr not in {"execute", "executemany"}:
        return False
    is_text = bool(node.args) and isinstance(node.args[0], (ast.Constant, ast.JoinedStr, ast.BinOp))
    return is_text or any(word in ast.unparse(node.func.value) for word in ("cursor", "connection"))


def passes_on(handler: ast.ExceptHandler) -> bool:
    """Answer whether the handler only looks, and ends by raising the same exception again."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def caught(kind: ast.expr) -> list[ast.expr]:
    return list(kind.elts) if isinstance(kind, ast.Tuple) else [kind]


def public_names() -> set[str]:
    """Return the names in `__all__`, read without importing; none if the list is put together at run time."""
    for node in BY_NAME[PACKAGE].nodes(ast.Assign, ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if "__all__" in map(ast.unparse, targets):
            return {item.value for item in ast.walk(node.value) if isinstance(item, ast.Constant)}
    return set()
