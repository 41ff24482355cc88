"""The app configuration of the sample."""

from django.apps import AppConfig

from tests.sample import faults


class SampleConfig(AppConfig):
    """Workflows that tests start, the tables they write to, and faults for the processes that run them."""

    name = "tests.sample"
    label = "sample"

    def ready(self) -> None:
        faults.install()
