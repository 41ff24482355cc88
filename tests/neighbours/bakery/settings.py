"""The settings of a bakery, on the database of the suite."""

from tests.settings import *  # noqa: F403 - everything else is as in the suite

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "durable_django",
    "tests.neighbours.bakery",
]
TASKS = {}
DURABLE_DJANGO = {**DURABLE_DJANGO, "APPLICATION": "bakery", "DEFAULT_QUEUE": "bakery"}  # noqa: F405 - from there
