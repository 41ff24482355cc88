"""A morning in the shop, always the same: what the pictures of the documentation show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

from durable_django import send
from durable_django.base import registry
from durable_django.base.clock import Now
from durable_django.models import Message, Queue, Schedule, Worker
from durable_django.redaction import redact
from durable_django.testing import fire_schedules, run_until_idle, travel
from example_project.documents.workflows import count_file
from example_project.mailing.workflows import confirm_profile
from example_project.provider.faults import Behaviour
from example_project.shop.catalogue import load_products
from example_project.shop.ordering import start_checkout
from tests.behaviour.scheduling import at
from tests.example.provider import ProviderMixin
from tests.example.shop import make_order

PROJECT = Path(__file__).parent.parent.parent
#: A Thursday, half past nine in the shop.
NOW = datetime(2031, 5, 1, 7, 30, tzinfo=UTC)
#: Minutes before that at which orders came that were paid and sent.
_PAID = (1290, 1180, 1015, 860, 700, 655, 540, 410, 335, 262, 240, 195, 170, 140, 128, 96, 81, 74, 52, 33, 21, 9)


class MorningMixin(ProviderMixin):
    """Gives every test the rows of that morning; until its end the clock stands near NOW."""

    def set_the_scene(self):
        """Let a day pass, from its beginning to NOW."""
        own = [name for name in registry.workflows.names() if not name.startswith("sample.")]
        self.enterContext(mock.patch.object(registry.workflows, "names", lambda: own))
        load_products()
        self.keep_what_belongs_to_the_shop()
        for place, minutes in enumerate(_PAID):
            with at(NOW, minutes=-minutes):
                self.check_out(f"SO-{1001 + place}")
                fire_schedules()
                run_until_idle()
        self.fail_to_ship()
        self.fail_to_count()
        self.enterContext(at(NOW))
        self.leave_some_work()
        self.employ_workers()

    @staticmethod
    def keep_what_belongs_to_the_shop():
        """Leave queues and schedules of the samples of the suite out."""
        Queue.objects.exclude(name__in=["default", "mails"]).delete()
        Schedule.objects.exclude(name__startswith="reports.").delete()
        Schedule.objects.resume()
        Schedule.objects.update(fired_until=NOW - timedelta(days=1))

    def check_out(self, number, **values):
        """Start a checkout, and let the provider answer after a while."""
        start_checkout(make_order(number, **values))
        run_until_idle()
        send(f"order-{number}", "succeeded", topic="payment")
        run_until_idle()

    def fail_to_ship(self):
        """The charge needs three calls, the payment takes a moment, and then there is no country to ship to."""
        with at(NOW, minutes=-27):
            self.fail_first(Behaviour.UNAVAILABLE, times=2)
            start_checkout(make_order("SO-1023", country=""))
            run_until_idle()
            with travel(seconds=2):
                send("order-SO-1023", "succeeded", topic="payment")
                # The database itself notes when a message comes; no test moves that clock.
                Message.objects.filter(workflow="order-SO-1023").update(created_at=Now())
                run_until_idle()

    def fail_to_count(self):
        """A file is damaged."""
        with at(NOW, minutes=-43):
            count_file.using(id="jabberwocky").start("carroll-jabberwocky-damaged.utf-8.txt")
            run_until_idle()

    def leave_some_work(self):
        """One checkout waits for its payment, mails wait behind a pause, and two orders have just come."""
        start_checkout(make_order("SO-1024", customer="Li Wei"))
        run_until_idle()
        Queue.objects.get(pk="mails").pause()
        for member in range(7):
            confirm_profile.using(id=f"profile-{member + 1}", partition_key="choir").start(member + 1, "Ada")
        for number in ("SO-1025", "SO-1026"):
            start_checkout(make_order(number))

    @staticmethod
    def employ_workers():
        for name, pid in (("worker-1", 4711), ("worker-2", 4712)):
            facts = {"name": name, "hostname": "shop", "pid": pid, "threads": 8, "queues": ["default", "mails"]}
            Worker.objects.register(name, 30.0, **facts)


def as_on_a_server(name, value):
    """Show the code where a server would have it, and hide what is hidden by default: the value of REDACT."""
    shown = redact(name, value)
    return shown.replace(str(PROJECT), "/srv/shop") if isinstance(shown, str) else shown
