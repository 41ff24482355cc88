"""What looks at all queues costs: as many statements for fifty of them as for one, each with much to say."""

import io
from datetime import timedelta

from django.core.management import call_command
from django.test import TestCase
from django.utils import timezone

from durable_django.admin.queues import at_a_glance
from durable_django.models import Incident, Queue, Schedule, Workflow
from durable_django.monitoring.health import Thresholds, examine
from durable_django.monitoring.measures import measure
from durable_django.worker.alerts import Alerts
from tests.behaviour.crowds import rows
from tests.behaviour.support import statements
from tests.monitoring.support import alive

#: What a scrape may ask, whatever is wrong.
MOST_STATEMENTS = 14


def fill(count):
    """Let there be so many queues, in each of which some stand in line for too long, for threads and for loops."""
    Queue.objects.all().delete()
    Workflow.objects.all()._raw_delete("default")
    Queue.objects.ensure(*(f"queue-{number}" for number in range(count)))
    made = rows(4 * count, status="queued")
    for number, row in enumerate(made):
        row.queue, row.is_async = f"queue-{number // 4}", number % 2 == 1
    Workflow.objects.bulk_create(made)
    Workflow.objects.update(created_at=timezone.now() - timedelta(hours=1))


class ManyQueues(TestCase):
    def setUp(self):
        Schedule.objects.all().delete()
        alive()

    def assert_same_cost(self, act, most):
        """The act costs as many statements for one queue as for fifty."""
        counts = []
        for number in (1, 50):
            fill(number)
            # What is looked up once for a process is known behind this.
            act()
            with statements() as seen:
                act()
            counts.append(len(seen))

        self.assertEqual(counts[0], counts[1], seen)
        self.assertLessEqual(counts[1], most, seen)

    def test_cost_a_scrape_no_more(self):
        """Each of them is delayed."""
        self.assert_same_cost(measure, MOST_STATEMENTS)

        (problems,) = (gauge for gauge in measure() if gauge.name == "durable_problems")
        self.assertIn((50, {"check": "queues"}), [(sample.value, sample.labels) for sample in problems.samples])

    def test_cost_a_probe_no_more(self):
        """All of them are named."""
        self.assert_same_cost(lambda: examine(Thresholds(300)), 8)

    def test_cost_the_alerts_no_more(self):
        """Once they were told of: what is known is noted again, all of it at once."""

        def look():
            Alerts("default").look()

        self.assert_same_cost(look, 10)
        self.assertEqual(50, Incident.objects.open().filter(kind="queue_delayed").count())

    def test_cost_the_command_and_the_overview_no_more(self):
        """Which count them, too."""
        self.assert_same_cost(lambda: call_command("durable", "queues", stdout=io.StringIO()), 3)
        self.assert_same_cost(lambda: at_a_glance("admin"), 3)
