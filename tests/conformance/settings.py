"""The settings of the process in which Django's own tests run: those of the suite, but for tasks and the database."""

from tests.settings import *  # noqa: F403 - everything else is as in the suite

TASKS = {"default": {"BACKEND": "tests.conformance.adapters.QueueOnly"}}
# The test that starts this process has a test database of the other name open.
DATABASES["default"]["TEST"]["NAME"] += "_tasks"  # noqa: F405 - from there
