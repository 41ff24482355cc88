"""worker/reload.py: a changed source file is noticed."""

import os
import tempfile
from pathlib import Path
from unittest import mock

from django.test import SimpleTestCase
from django.utils import autoreload

from durable_django.base import clock
from durable_django.worker.reload import Changes


class TheSource(SimpleTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.now = 1000.0
        self.files = [self.write("a.py"), self.write("b.py")]
        for patched in (
            mock.patch.object(clock, "elapsed_seconds", lambda: self.now),
            mock.patch.object(autoreload, "iter_all_python_module_files", lambda: list(self.files)),
        ):
            patched.start()
            self.addCleanup(patched.stop)
        self.changes = Changes()

    def write(self, name, changed_at=1.0):
        path = self.folder / name
        path.write_text("x = 1\n")
        os.utime(path, (changed_at, changed_at))
        return path

    def found(self):
        self.now += 2
        return self.changes.found()

    def test_that_stays_as_it_is_is_no_change(self):
        """Look after look."""
        self.assertEqual([False, False], [self.found(), self.found()])

    def test_that_is_saved_is_a_change(self):
        """Once; then it is known."""
        self.write("a.py", changed_at=2.0)

        self.assertEqual([True, False], [self.found(), self.found()])

    def test_of_a_module_imported_later_is_no_change(self):
        """Lazy imports do not restart a worker; their changes do."""
        self.files.append(self.write("c.py"))
        first = self.found()
        self.write("c.py", changed_at=3.0)

        self.assertEqual((False, True), (first, self.found()))

    def test_that_vanishes_for_a_moment_is_no_error(self):
        """Editors replace files: the next look finds the new one."""
        self.files[0].unlink()
        first = self.found()

        self.assertFalse(first)

    def test_is_looked_at_once_a_second(self):
        """However often it is asked."""
        self.write("a.py", changed_at=2.0)
        self.now += 0.5

        self.assertFalse(self.changes.found())
        self.assertTrue(self.found())

    def test_is_that_of_the_loaded_modules(self):
        """As Django's own reloader lists it."""
        mock.patch.stopall()

        self.assertIn(Path(clock.__file__).resolve(), {path.resolve() for path in Changes._snapshot()})
