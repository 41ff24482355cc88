"""base/records.py: records of users' code say in which workflow, attempt and step they were written."""

import logging
import subprocess
import sys

from django.test import SimpleTestCase, TestCase

from durable_django import WorkflowFilter
from durable_django.models import Workflow
from durable_django.testing import run_until_idle
from tests.behaviour.support import acting
from tests.sample.promises import acts, acts_itself

FACTS = ("workflow_id", "workflow", "attempt", "step", "position")
shop = logging.getLogger("tests.shop")


class Kept(logging.Handler):
    def __init__(self):
        super().__init__()
        self.records = []
        self.addFilter(WorkflowFilter())

    def emit(self, record):
        self.records.append(record)


class ARecord(TestCase):
    def setUp(self):
        self.kept = Kept()
        shop.addHandler(self.kept)
        self.addCleanup(shop.removeHandler, self.kept)

    def facts(self):
        (record,) = self.kept.records
        return tuple(getattr(record, name) for name in FACTS)

    def test_of_a_step_names_it(self):
        """And its workflow."""
        with acting(lambda: shop.warning("charged")):
            acts.using(id="order-7").start()
            run_until_idle()

        self.assertEqual(("order-7", "sample.acts", 1, "act", 2), self.facts())

    def test_of_a_workflow_names_no_step(self):
        """Between two of them."""
        with acting(lambda: shop.warning("between")):
            acts_itself.using(id="order-7").start()
            run_until_idle()

        self.assertEqual(("order-7", "sample.acts_itself", 1, "", 0), self.facts())

    def test_is_one_line_whatever_ids_hold(self):
        """Starts refuse such ids; other hands may write them. No format that names them writes a second record; S14."""
        with acting(lambda: shop.warning("charged")):
            acts.using(id="order-7").start()
            Workflow.objects.update(id="order\n7")
            run_until_idle()
        shop.warning("other", extra={"workflow_id": "order\r\n8"})

        self.assertEqual(["order\\n7", "order\\r\\n8"], [record.workflow_id for record in self.kept.records])

    def test_from_elsewhere_has_empty_facts(self):
        """So that one format serves all."""
        shop.warning("outside")

        self.assertEqual(("", "", 0, "", 0), self.facts())

    def test_keeps_what_it_says_itself(self):
        """The records of the engine, of a step that is called again for one, know better."""
        with acting(lambda: shop.warning("other", extra={"workflow_id": "another"})):
            acts.using(id="order-7").start()
            run_until_idle()

        self.assertEqual(("another", "sample.acts"), self.facts()[:2])


class TheSettings(SimpleTestCase):
    def test_may_name_it_before_the_apps_are_ready(self):
        """LOGGING is read first."""
        code = (
            "import logging.config, durable_django;"
            "logging.config.dictConfig({'version': 1, 'filters': {'w': {'()': 'durable_django.WorkflowFilter'}},"
            "'handlers': {'h': {'class': 'logging.StreamHandler', 'filters': ['w'], 'stream': 'ext://sys.stdout'}},"
            "'root': {'handlers': ['h']}});"
            "logging.warning('read')"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

        self.assertEqual("read\n", done.stdout)
