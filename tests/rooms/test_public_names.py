"""durable_django/__init__.py: the public names, resolved on first use, each documented."""

import importlib
import inspect
import pkgutil
import subprocess
import sys

from django.test import SimpleTestCase

import durable_django
from durable_django import models, testing


class ThePackage(SimpleTestCase):
    def test_exports_what_it_lists(self):
        """__all__, the table of rooms and dir() agree; sorted, each once."""
        names = durable_django.__all__

        self.assertEqual(sorted(set(names)), names)
        self.assertEqual(set(names), set(durable_django._ROOMS))
        self.assertEqual({*names, "__version__"}, set(dir(durable_django)))

    def test_tells_type_checkers_the_same(self):
        """The imports that only they see are those names."""
        block = inspect.getsource(durable_django).split("if TYPE_CHECKING:")[1].split("__version__")[0]
        words = {
            word.strip("(),")
            for line in block.splitlines()
            for word in line.partition("import ")[2].split() or [line.strip()]
        }

        self.assertLessEqual(set(durable_django.__all__), words)

    def test_finds_each_name_in_its_room(self):
        """What is exported is what the room has."""
        for name, room in durable_django._ROOMS.items():
            with self.subTest(name=name):
                module = importlib.import_module(f"durable_django.{room}")
                self.assertIs(getattr(module, name), getattr(durable_django, name))

    def test_documents_each_name(self):
        """Classes, functions, and the public methods of both."""
        for name in durable_django.__all__:
            value = getattr(durable_django, name)
            with self.subTest(name=name):
                self.assertTrue(inspect.getdoc(value), name)
            if inspect.isclass(value):
                self.assert_methods_documented(value)

    def assert_methods_documented(self, kind):
        for name, member in vars(kind).items():
            if not name.startswith("_") and (callable(member) or isinstance(member, property)):
                with self.subTest(method=f"{kind.__name__}.{name}"):
                    self.assertTrue(inspect.getdoc(member))

    def test_has_no_name_that_is_also_a_module(self):
        """Importing the module would overwrite the attribute."""
        modules = {module.name for module in pkgutil.iter_modules(durable_django.__path__)}

        self.assertEqual(set(), modules & set(durable_django.__all__))

    def test_knows_no_other_name(self):
        """A typo is an AttributeError that names it."""
        with self.assertRaisesMessage(AttributeError, "module 'durable_django' has no attribute 'worklfow'"):
            _ = durable_django.worklfow

    def test_can_be_imported_without_settings(self):
        """Only the names need Django; and the decorators work before the apps are ready."""
        code = "import durable_django; print(len(dir(durable_django)))"
        clean = {"PATH": "", "PYTHONPATH": ":".join(path for path in sys.path if path) or "."}

        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=clean, timeout=60, check=False
        )

        self.assertEqual(0, done.returncode, done.stderr)

    def test_says_its_version(self):
        """Three numbers."""
        self.assertRegex(durable_django.__version__, r"^\d+\.\d+\.\d+")


class OtherPublicModules(SimpleTestCase):
    def test_list_what_they_export(self):
        """models and testing have an __all__, every name in it exists and is documented."""
        for module in (models, testing):
            for name in module.__all__:
                with self.subTest(module=module.__name__, name=name):
                    self.assertTrue(inspect.getdoc(getattr(module, name)))

    def test_of_verbs_are_typed(self):
        """Public functions have annotations for every parameter and for what comes back."""
        for name in durable_django.__all__:
            value = getattr(durable_django, name)
            if inspect.isfunction(value):
                hints = inspect.signature(value)
                with self.subTest(name=name):
                    self.assertIsNot(inspect.Signature.empty, hints.return_annotation)
                    for parameter in hints.parameters.values():
                        self.assertIsNot(inspect.Parameter.empty, parameter.annotation, parameter.name)
