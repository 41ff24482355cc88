"""The shop's schedules: a report for every day, whatever happens at night; supplies by one run at a time."""

from datetime import UTC, date, datetime, timedelta

from durable_django.base.clock import Epoch, Now, instant
from durable_django.models import Queue, Schedule, Workflow
from durable_django.testing import crash_after, fire_schedules, run_until_idle, travel
from example_project.reports.models import DailyReport, Supply
from example_project.reports.workflows import restock, supply, write_report
from example_project.shop.models import Order, Product
from tests.example.shop import ShopCase

REPORT, RESTOCK = "reports.report_yesterday", "reports.restock"


def at(moment):
    """Travel to a moment by the database's clock."""
    return travel(moment - instant(Queue.objects.values_list(Epoch(Now()), flat=True)[:1].get()))


def counting_from(name, moment):
    """Let the ticks of a schedule count from a moment on, as if it had been declared then."""
    Schedule.objects.filter(name=name).write(fired_until=moment, next_at=moment)


class TheDailyReport(ShopCase):
    def fire(self, moment):
        with at(moment):
            fired = fire_schedules(REPORT)
            run_until_idle()
        return fired

    def test_counts_the_day_before(self):
        """From midnight to midnight where the shop is, whatever the zone of the server."""
        for number, created in enumerate(
            (
                datetime(2031, 6, 9, 21, 59, tzinfo=UTC),
                datetime(2031, 6, 9, 22, 0, tzinfo=UTC),
                datetime(2031, 6, 10, 21, 59, tzinfo=UTC),
                datetime(2031, 6, 10, 22, 0, tzinfo=UTC),
            )
        ):
            order = self.order(f"SO-{number}")
            state = Order.State.PAID if number == 1 else Order.State.FAILED
            Order.objects.filter(pk=order.pk).update(created_at=created, state=state)
        counting_from(REPORT, datetime(2031, 6, 10, 12, tzinfo=UTC))

        fired = self.fire(datetime(2031, 6, 11, 0, 30, tzinfo=UTC))

        self.assertEqual([f"schedule:{REPORT}:2031-06-11T00:30:00Z"], fired)
        report = DailyReport.objects.get()
        self.assertEqual((date(2031, 6, 10), 2, 1), (report.day, report.orders, report.paid))

    def test_is_owed_for_each_day_that_nobody_worked(self):
        """A week without workers: seven reports, each of its day."""
        counting_from(REPORT, datetime(2031, 6, 10, 12, tzinfo=UTC))
        self.fire(datetime(2031, 6, 17, 12, tzinfo=UTC))

        days = [date(2031, 6, 10) + timedelta(days=number) for number in range(7)]
        self.assertEqual(days, list(DailyReport.objects.order_by("day").values_list("day", flat=True)))

    def test_comes_once_when_clocks_change(self):
        """At three on the night that skips half past two, once on the night that has it twice."""
        for begin, tick in (
            (datetime(2031, 3, 29, 12, tzinfo=UTC), "2031-03-30T01:00:00Z"),
            (datetime(2031, 10, 25, 12, tzinfo=UTC), "2031-10-26T00:30:00Z"),
        ):
            counting_from(REPORT, begin)
            fired = self.fire(begin + timedelta(hours=20))
            self.assertEqual([f"schedule:{REPORT}:{tick}"], fired)
        self.assertEqual(2, DailyReport.objects.count())

    def test_is_one_row_even_if_the_worker_dies(self):
        """The step is atomic."""
        counting_from(REPORT, datetime(2031, 6, 10, 12, tzinfo=UTC))
        with crash_after(write_report):
            self.fire(datetime(2031, 6, 11, 12, tzinfo=UTC))
        run_until_idle()

        self.assertEqual(1, DailyReport.objects.count())
        self.assertEqual("succeeded", Workflow.objects.of_schedule(REPORT).get().status)


class Supplies(ShopCase):
    NOON = datetime(2031, 6, 10, 12, tzinfo=UTC)

    def setUp(self):
        super().setUp()
        Product.objects.update(stock=50)
        Product.objects.filter(sku="MUG-01").update(stock=4)
        counting_from(RESTOCK, self.NOON)

    def stock(self):
        return Product.objects.get(sku="MUG-01").stock

    def test_fill_what_runs_out(self):
        """Within a minute after each full hour."""
        with at(self.NOON + timedelta(hours=1, minutes=1)):
            fire_schedules(RESTOCK)
            run_until_idle()

        self.assertEqual((24, 1), (self.stock(), Supply.objects.count()))

    def test_are_never_looked_for_by_two(self):
        """A run that has not ended keeps the next one from starting; once it has, they go on."""
        with at(self.NOON + timedelta(hours=1)):
            fire_schedules(RESTOCK)
        with at(self.NOON + timedelta(hours=2)):
            meanwhile = fire_schedules(RESTOCK)
        with at(self.NOON + timedelta(hours=2, minutes=30)):
            run_until_idle()
        with at(self.NOON + timedelta(hours=3)):
            afterwards = fire_schedules(RESTOCK)

        self.assertEqual(([], 1, 24), (meanwhile, len(afterwards), self.stock()))

    def test_come_once_even_if_the_worker_dies(self):
        """Supply and checkpoint are one transaction."""
        handle = restock.start()
        with crash_after(supply):
            run_until_idle()
        run_until_idle()

        self.assertEqual((["MUG-01"], 24, 1), (handle.result(), self.stock(), Supply.objects.count()))
