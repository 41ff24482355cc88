"""
The settings of the suite, also for the worker processes that tests start.

The database comes from the environment: see databases.py. So does what a test wants otherwise in its workers:

DURABLE_TEST_SETTINGS          the value of DURABLE_DJANGO, as JSON
DURABLE_TEST_TASK_OPTIONS      the OPTIONS of TASKS["default"], as JSON
DURABLE_TEST_DATABASE_OPTIONS  more for OPTIONS of the database, as JSON
DURABLE_TEST_WITHOUT_ADMIN     import no pages of the admin
"""

import json
import os
from importlib.util import find_spec

from tests import databases

SECRET_KEY = "only-for-tests"
ALLOWED_HOSTS = ["testserver", "localhost"]
DEBUG = False
TEST_RUNNER = "tests.runner.SuiteRunner"

INSTALLED_APPS = [
    "django.contrib.admin.apps.SimpleAdminConfig"
    if "DURABLE_TEST_WITHOUT_ADMIN" in os.environ
    else "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "durable_django",
    *(["django_tasks"] if find_spec("django.tasks") is None and find_spec("django_tasks") else []),
    "example_project.shop",
    "example_project.inbox",
    "example_project.documents",
    "example_project.reports",
    "example_project.newsletter",
    "example_project.mailing",
    "tests.sample",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
ROOT_URLCONF = "tests.urls"
STATIC_URL = "/static/"

DATABASES = {"default": databases.from_environment()}
DATABASES["default"]["OPTIONS"].update(json.loads(os.environ.get("DURABLE_TEST_DATABASE_OPTIONS", "{}")))
DURABLE_DJANGO = json.loads(os.environ.get("DURABLE_TEST_SETTINGS", "{}"))
TASKS = {
    "default": {
        "BACKEND": "durable_django.tasks.DurableBackend",
        "QUEUES": ["default", "letters"],
        "OPTIONS": json.loads(os.environ.get("DURABLE_TEST_TASK_OPTIONS", "{}")),
    },
    "any_queue": {"BACKEND": "durable_django.tasks.DurableBackend", "QUEUES": []},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The runner chooses this too, but not for the worker processes that tests start.
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

# A zone with daylight saving: what mixes up local time and UTC shows.
USE_TZ = True
TIME_ZONE = "Europe/Berlin"

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
