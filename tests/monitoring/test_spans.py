"""contrib/opentelemetry: one trace from the request that starts a workflow to each of its steps, wherever they run."""

import json
import logging
import os
import subprocess
import sys
from unittest import mock

from django.test import SimpleTestCase, TestCase
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from durable_django import signals
from durable_django.base import tracing
from durable_django.contrib.opentelemetry import spans
from durable_django.contrib.opentelemetry.spans import Spans
from durable_django.models import Workflow
from durable_django.testing import crash_after, run_until_idle, travel
from tests.behaviour.states import workflow_in
from tests.behaviour.support import acting, presence_ends
from tests.sample.branching import calls_a_child
from tests.sample.looping import agathers, mixes_steps
from tests.sample.operated import is_followed
from tests.sample.promises import acts
from tests.sample.queued import gathers_named
from tests.sample.workflows import Flaky, mark_atomically, retried, two_marks

_IMPORTS = """
import sys, django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "durable_django", *sys.argv[1:]],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "x.sqlite3"}},
)
django.setup()
from durable_django.base import tracing
print(any(name.split(".")[0] == "opentelemetry" for name in sys.modules), bool(tracing._tracers))
"""


class SpansTestCase(TestCase):
    def setUp(self):
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = provider.get_tracer("test")
        traced = Spans(provider)
        traced.listen()
        tracing.connect(traced)
        self.addCleanup(tracing.connect, None)
        for signal in (signals.workflow_failed, signals.workflow_retrying, signals.workflow_paused):
            self.addCleanup(signal.disconnect, dispatch_uid="durable_django.contrib.opentelemetry")

    def made(self):
        """Return the spans that have ended, in the order in which they began."""
        return sorted(self.exporter.get_finished_spans(), key=lambda span: span.start_time)

    def tree(self):
        """Return name and parent of each span."""
        names = {span.context.span_id: span.name for span in self.made()}
        return [(span.name, names.get(span.parent.span_id) if span.parent else None) for span in self.made()]


class ATrace(SpansTestCase):
    def test_goes_from_the_request_to_each_step(self):
        """Through the row: the worker knows nothing of the request."""
        with self.tracer.start_as_current_span("POST /orders"):
            two_marks.using(id="order-7").start("a")
        run_until_idle()

        self.assertEqual(
            [
                ("POST /orders", None),
                ("start sample.two_marks", "POST /orders"),
                ("sample.two_marks", "start sample.two_marks"),
                ("mark_atomically", "sample.two_marks"),
                ("mark", "sample.two_marks"),
            ],
            self.tree(),
        )
        self.assertEqual(1, len({span.context.trace_id for span in self.made()}))
        self.assertEqual(
            [SpanKind.PRODUCER, SpanKind.CONSUMER, SpanKind.INTERNAL], [span.kind for span in self.made()[1:4]]
        )

    def test_begins_with_the_start_where_nothing_else_is_traced(self):
        """A schedule or a shell: all attempts are one trace all the same."""
        two_marks.start("a")
        with crash_after(mark_atomically):
            run_until_idle()
        run_until_idle()

        self.assertEqual(
            ["start sample.two_marks", "sample.two_marks", "mark_atomically", "sample.two_marks", "mark"],
            [name for name, _parent in self.tree()],
        )
        self.assertEqual(1, len({span.context.trace_id for span in self.made()}))
        attempts = [span for span in self.made() if span.name == "sample.two_marks"]
        self.assertEqual([1, 2], [span.attributes["durable.workflow.attempt"] for span in attempts])

    def test_includes_what_its_steps_and_children_do(self):
        """A span that a step makes is a child of the step; so is the start of another workflow."""

        def asks():
            with self.tracer.start_as_current_span("GET /stock"):
                pass

        with acting(asks):
            acts.start()
            run_until_idle()
        calls_a_child.start(7)
        run_until_idle()

        tree = self.tree()
        self.assertIn(("GET /stock", "act"), [(name, parent) for name, parent in tree if name == "GET /stock"])
        children = [(name, parent) for name, parent in tree if name.startswith("start ") and parent]
        self.assertEqual(1, len(children), tree)

    def test_goes_on_in_tasks_and_in_their_threads(self):
        """Of an async workflow: its steps are children of the attempt, whether they are async or not."""
        with self.tracer.start_as_current_span("POST /orders"):
            mixes_steps.start("a")
        agathers.start(one=0, two=0)
        run_until_idle()

        tree, names = self.tree(), ("mark", "mark_atomically", "amark", "amark_atomically")
        steps = {(name, parent) for name, parent in tree if name in names}
        self.assertEqual({("amark", "sample.agathers"), *((name, "sample.mixes_steps") for name in names)}, steps)
        self.assertEqual(2, len({span.context.trace_id for span in self.made()}))

    def test_includes_children_that_are_started_together(self):
        """One span says how many were started; each attempt is a child of it."""
        gathers_named.start(list("abcde"))
        run_until_idle()

        tree = self.tree()
        self.assertEqual(1, tree.count(("start sample.named", "sample.gathers_named")))
        self.assertEqual(5, tree.count(("sample.named", "start sample.named")))
        (start,) = (span for span in self.made() if span.name == "start sample.named")
        self.assertEqual({"durable.workflow.name": "sample.named", "durable.workflow.count": 5}, dict(start.attributes))

    def test_goes_on_in_a_plain_call(self):
        """Which runs here and now."""
        with presence_ends(), self.tracer.start_as_current_span("POST /orders"):
            two_marks("a")

        tree = self.tree()
        self.assertIn(("sample.two_marks", "start sample.two_marks"), tree)
        self.assertIn(("mark", "sample.two_marks"), tree)
        self.assertEqual(1, len({span.context.trace_id for span in self.made()}))

    def test_goes_on_in_what_follows_a_failure(self):
        """It is part of what the request has set off."""
        with self.tracer.start_as_current_span("POST /orders"):
            is_followed.start("a")
        run_until_idle()

        self.assertIn(("sample.follows", "start sample.is_followed"), self.tree())
        self.assertEqual(1, len({span.context.trace_id for span in self.made()}))

    def test_is_of_one_workflow(self):
        """Two that are started apart are two traces; the span of neither is left behind."""
        two_marks.start("a")
        two_marks.start("b")
        run_until_idle()

        self.assertEqual(2, len({span.context.trace_id for span in self.made()}))
        self.assertFalse(trace.get_current_span().get_span_context().is_valid)


class ASpan(SpansTestCase):
    def test_says_which_step_of_which_workflow(self):
        """And no argument or result."""
        two_marks.using(id="order-7").start("a secret")
        run_until_idle()

        facts = {span.name: dict(span.attributes) for span in self.made()}
        self.assertEqual(
            {
                "durable.workflow.id": "order-7",
                "durable.workflow.name": "sample.two_marks",
                "durable.workflow.attempt": 1,
                "durable.step.name": "mark",
                "durable.step.position": 2,
                "durable.step.attempt": 1,
            },
            facts["mark"],
        )
        self.assertEqual("default", facts["sample.two_marks"]["durable.workflow.queue"])
        self.assertNotIn("a secret", json.dumps(facts))

    def test_of_each_call_of_a_step_that_retries(self):
        """The failed one has the error."""
        self.addCleanup(setattr, Flaky, "failures", 0)
        Flaky.failures = 1
        retried.start("a")
        for seconds in (0, 3600):
            with travel(seconds=seconds):
                run_until_idle()

        calls = [span for span in self.made() if "durable.step.name" in span.attributes]
        self.assertEqual([1, 2], [span.attributes["durable.step.attempt"] for span in calls])
        self.assertEqual([StatusCode.ERROR, StatusCode.UNSET], [span.status.status_code for span in calls])
        self.assertEqual("exception", calls[0].events[0].name)

    def test_of_a_failed_workflow_has_the_error(self):
        """One that waits has none."""
        with acting(lambda: 1 / 0):
            acts.start()
            run_until_idle()
        workflow_in("waiting")

        attempts = [span for span in self.made() if span.kind is SpanKind.CONSUMER]
        self.assertEqual([StatusCode.ERROR, StatusCode.UNSET], [span.status.status_code for span in attempts])
        self.assertIn("ZeroDivisionError", attempts[0].status.description)


class WhatTheRowCarries(SpansTestCase):
    def test_may_be_anything(self):
        """Others may write there what they like: it begins a trace of its own, and nothing fails."""
        rubbish = ["{", "[1]", '"x"', '{"traceparent": 7}', '{"traceparent": "00-zz-1-1"}', "[" * 100_000, "\u2028"]
        for text in rubbish:
            handle = two_marks.start("a")
            Workflow.objects.filter(pk=handle.id).update(trace_context=text)
            run_until_idle()
            self.assertEqual("succeeded", handle.refresh().status, text[:50])

    def test_is_bounded(self):
        """Baggage of any size is left behind; the trace is not."""

        def inject(carrier):
            carrier.update(traceparent="x", baggage="y" * 5000)

        with mock.patch.object(spans.propagate, "inject", inject), self.tracer.start_as_current_span("POST /orders"):
            handle = two_marks.start("a")
        run_until_idle()

        row = Workflow.objects.get(pk=handle.id)
        self.assertLess(len(row.trace_context), 200)
        self.assertEqual(1, len({span.context.trace_id for span in self.made()}))

    def test_is_nothing_without_a_tracer(self):
        """Neither an attempt nor a step asks for anything."""
        tracing.connect(None)
        handle = two_marks.start("a")
        run_until_idle()

        self.assertEqual("", Workflow.objects.get(pk=handle.id).trace_context)
        self.assertEqual((), self.exporter.get_finished_spans())


class TheExtra(SimpleTestCase):
    def loaded(self, *apps):
        environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
        done = subprocess.run(
            [sys.executable, "-c", _IMPORTS, *apps], env=environment, capture_output=True, text=True, timeout=120,
            check=True,
        )  # fmt: skip
        return done.stdout.split()

    def test_is_imported_by_its_app_only(self):
        """A project without it pays nothing."""
        self.assertEqual(["False", "False"], self.loaded())
        self.assertEqual(["True", "True"], self.loaded("durable_django.contrib.opentelemetry"))

    def test_that_is_not_installed_is_named(self):
        """With what to do."""
        hidden = "import sys; sys.modules['opentelemetry'] = None; "
        done = subprocess.run(
            [sys.executable, "-c", f"{hidden}import durable_django.contrib.opentelemetry.apps"],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

        self.assertIn("needs OpenTelemetry: pip install 'durable-django[otel]'", done.stderr.splitlines()[-1])


logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
