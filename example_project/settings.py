"""
Settings of the example project: one SQLite file, everything else beside it.

    DEMO_DATABASE          path of the database; the mail folder and the provider's ledger are derived from it
    DEMO_DEBUG             "0" switches DEBUG off, as the demo does
    PAYMENT_PROVIDER_URL   where the payment provider listens
    PAYMENT_WEBHOOK_URL    where the payment provider reaches the shop, if it is started by hand
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
DATABASE = Path(os.environ.get("DEMO_DATABASE") or BASE_DIR / "demo.sqlite3")

SECRET_KEY = "only-for-the-example-never-for-a-real-site"  # noqa: S105 - nothing to protect
DEBUG = os.environ.get("DEMO_DEBUG", "1") != "0"
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "durable_django",
    "example_project.shop",
    "example_project.inbox",
    "example_project.documents",
    "example_project.reports",
    "example_project.newsletter",
    "example_project.mailing",
]
if find_spec("django.tasks") is None:
    # Django 5.2, with the package that brings it the tasks of Django 6.
    INSTALLED_APPS += ["django_tasks"]

# Where the tasks of apps run that know nothing of durable_django.
TASKS = {"default": {"BACKEND": "durable_django.tasks.DurableBackend"}}

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
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

ROOT_URLCONF = "example_project.urls"
WSGI_APPLICATION = "example_project.wsgi.application"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATABASE,
        "OPTIONS": {
            # A transaction takes SQLite's write lock when it begins and waits for it; taken later, it could only fail.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    },
}

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
LOGIN_URL = "admin:login"

DURABLE_DJANGO = {
    # Without a callable here nobody may read a stream.
    "STREAM_PERMISSION": "example_project.shop.permissions.may_read_stream",
}

# One file per e-mail, so that they can be read and counted.
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = DATABASE.with_suffix(".mail")
DEFAULT_FROM_EMAIL = "The durable shop <shop@shop.example>"

PAYMENT_PROVIDER_URL = os.environ.get("PAYMENT_PROVIDER_URL", "http://127.0.0.1:8765")
PAYMENT_PROVIDER_LEDGER = DATABASE.with_suffix(".provider.sqlite3")
PAYMENT_TIMEOUT_SECONDS = 1.0
PAYMENT_WEBHOOK_URL = os.environ.get("PAYMENT_WEBHOOK_URL", "http://127.0.0.1:8000/webhooks/payments/")
# What the provider signs with. A real one comes from the environment, and from nowhere else.
PAYMENT_WEBHOOK_SECRET = "only-for-the-example"  # noqa: S105 - nothing to protect
