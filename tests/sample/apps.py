"""The app configuration of the sample."""

from django.apps import AppConfig


class SampleConfig(AppConfig):
    """Tables without migrations: the test runner creates them."""

    name = "tests.sample"
    label = "sample"
