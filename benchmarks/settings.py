"""
The Django settings of the processes that are measured: nothing but the app, on the database of the run.

DURABLE_BENCH_URL     postgresql://user@/name?host=/folder&port=5432, or sqlite:////path/of/the/file
DURABLE_BENCH_SIDE    the side that is measured: the apps of a peer are there for that alone
DURABLE_BENCH_MODULE  the measurement: the admin is there for its pages alone
"""

import os
from importlib.util import find_spec

from benchmarks.places import django_database

SECRET_KEY = "only-for-benchmarks"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "durable_django", "benchmarks"]
if find_spec("django.tasks") is None and find_spec("django_tasks") is not None:
    INSTALLED_APPS.append("django_tasks")
TASKS = {"default": {"BACKEND": "durable_django.tasks.DurableBackend"}}
if os.environ.get("DURABLE_BENCH_SIDE") == "django_tasks_db":
    INSTALLED_APPS.append("django_tasks_db")
    TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
if os.environ.get("DURABLE_BENCH_SIDE") == "procrastinate":
    INSTALLED_APPS.append("procrastinate.contrib.django")
    PROCRASTINATE_IMPORT_PATHS = ["benchmarks.declared_for_procrastinate"]
if os.environ.get("DURABLE_BENCH_MODULE") == "pages" or os.environ.get("DURABLE_BENCH_SIDE") == "month":
    # The pages of the admin, and what they need.
    INSTALLED_APPS += [f"django.contrib.{name}" for name in ("admin", "messages", "sessions", "staticfiles")]
    MIDDLEWARE = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ]
    _PROCESSORS = ("template.context_processors.request", "contrib.auth.context_processors.auth")
    TEMPLATES = [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    *(f"django.{name}" for name in _PROCESSORS),
                    "django.contrib.messages.context_processors.messages",
                ],
            },
        },
    ]
    ROOT_URLCONF = "tests.urls"
    STATIC_URL = "/static/"
    ALLOWED_HOSTS = ["*"]
DATABASES = {"default": django_database(os.environ["DURABLE_BENCH_URL"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
