"""
Django's tests of tasks, each class once more with a database and with this backend in the place of Django's own.

Run it with tests.conformance.settings, and with the folder `tests` of Django's source distribution on the path: see
test_django_tasks.py. Every test is run but those that are about Django's own classes.
"""

import importlib
from unittest import mock, skip

from django.test import SimpleTestCase, TransactionTestCase
from django.utils.module_loading import import_string

from tests.conformance.adapters import QueueOnly, RunNow

IN_PLACE_OF = {
    "django.tasks.backends.dummy.DummyBackend": QueueOnly,
    "django.tasks.backends.immediate.ImmediateBackend": RunNow,
}
#: Tests that do not apply, each with the reason.
NOT_OURS = {
    "TaskTestCase.test_using_correct_backend": "asks for Django's class",
    "TaskTestCase.test_get_backend": "asks for Django's class",
    "DummyBackendTestCase.test_using_correct_backend": "asks for Django's class",
    "DummyBackendTestCase.test_refresh_result": "changes what DummyBackend keeps in memory",
    "DummyBackendTestCase.test_refresh_result_async": "changes what DummyBackend keeps in memory",
    "ImmediateBackendTestCase.test_using_correct_backend": "asks for Django's class",
    "ImmediateBackendTestCase.test_cannot_get_result": "ImmediateBackend keeps no results, this backend does",
    "ImmediateBackendTestCase.test_cannot_refresh_result": "ImmediateBackend keeps no results, this backend does",
    "ImmediateBackendTestCase.test_cannot_pass_run_after": "ImmediateBackend cannot wait, this backend can",
}
#: The one that applies and cannot pass.
CANNOT_PASS = {
    "TaskTestCase.test_refresh_result": "calls refresh(), not arefresh(), in async code: no backend that asks a "
    "database through the ORM can answer there",
}


def ours(path):
    """Return this backend where Django's are asked for by their paths."""
    return IN_PLACE_OF.get(path) or import_string(path)


def ported(upstream):
    """Return the class with a database, and without the tests that do not apply."""
    changes = {"databases": {"default"}, "available_apps": None}
    for place, reason in {**NOT_OURS, **CANNOT_PASS}.items():
        name, _, test = place.partition(".")
        if name == upstream.__name__ and hasattr(upstream, test):
            changes[test] = skip(reason)(getattr(upstream, test))
    return type(upstream.__name__, (upstream, TransactionTestCase), changes)


mock.patch("django.tasks.import_string", ours).start()
for module in ("test_tasks", "test_dummy_backend", "test_immediate_backend", "test_custom_backend"):
    for name, value in vars(importlib.import_module(f"tasks.{module}")).items():
        if isinstance(value, type) and issubclass(value, SimpleTestCase) and value.__module__ == f"tasks.{module}":
            globals()[name] = ported(value)
