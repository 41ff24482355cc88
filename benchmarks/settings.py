"""
The Django settings of the processes that are measured: nothing but the app, on the database of the run.

DURABLE_BENCH_URL  postgresql://user@/name?host=/folder&port=5432, or sqlite:////path/of/the/file
"""

import os

from benchmarks.places import django_database

SECRET_KEY = "only-for-benchmarks"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "durable_django", "benchmarks"]
DATABASES = {"default": django_database(os.environ["DURABLE_BENCH_URL"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
