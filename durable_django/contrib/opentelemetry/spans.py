"""
Spans: one for each start, attempt and call of a step; all attempts of a workflow are one trace.

Workflows that are started together have one start. The trace of whatever starts a workflow, a request for one, is
carried in the workflow's row. No payload is recorded; errors are, with their messages.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from durable_django import signals

#: More is not carried: baggage may be of any size, and stays in the row for as long as the workflow.
_LONGEST_CARRIED = 2000


class Spans:
    """
    The tracer of the engine, see base/tracing.py.

    provider  the one of the process otherwise, also if it is set later
    """

    def __init__(self, provider: trace.TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer("durable_django", tracer_provider=provider)
        self._attempts: dict[tuple[str, int], Span] = {}

    def listen(self) -> None:
        """Hear of errors; listening twice changes nothing."""
        for signal in (signals.workflow_failed, signals.workflow_retrying, signals.workflow_paused):
            signal.connect(self._note_error, weak=False, dispatch_uid="durable_django.contrib.opentelemetry")

    def started(self, name: str, ids: Sequence[str]) -> str:
        """Return the context of a span for the start of one or many, in the current trace or in one of its own."""
        which: dict[str, Any] = (
            {"durable.workflow.id": ids[0]} if len(ids) == 1 else {"durable.workflow.count": len(ids)}
        )
        facts = {"durable.workflow.name": name, **which}
        with self._tracer.start_as_current_span(f"start {name}", kind=SpanKind.PRODUCER, attributes=facts):
            return _carried()

    @contextmanager
    def attempt(self, workflow: Any) -> Iterator[None]:
        """Surround an attempt by a span of the trace that the row carries, wherever and whenever it runs."""
        key = (workflow.pk, workflow.attempt)
        facts = {**_facts(workflow), "durable.workflow.queue": workflow.queue}
        parent = propagate.extract(_carrier(workflow.trace_context), Context())
        with self._tracer.start_as_current_span(
            workflow.name, parent, SpanKind.CONSUMER, facts, record_exception=False, set_status_on_exception=False
        ) as span:
            self._attempts[key] = span
            try:
                yield
            finally:
                self._attempts.pop(key, None)

    @contextmanager
    def step(self, workflow: Any, step: Any) -> Iterator[None]:
        """Surround one call of a step by a span; an error that it raises is recorded."""
        facts = {
            **_facts(workflow),
            "durable.step.name": step.name,
            "durable.step.position": step.position,
            "durable.step.attempt": step.attempt,
        }
        with self._tracer.start_as_current_span(step.name, attributes=facts):
            yield

    def _note_error(self, workflow_id: str, attempt: int, error: BaseException, **_others: Any) -> None:
        span = self._attempts.get((workflow_id, attempt))
        if span is not None:
            span.record_exception(error)
            span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))


def _facts(workflow: Any) -> dict[str, Any]:
    return {
        "durable.workflow.id": workflow.pk,
        "durable.workflow.name": workflow.name,
        "durable.workflow.attempt": workflow.attempt,
    }


def _carried() -> str:
    """Return the current context as text: by the propagator of the process, or the trace alone if that is long."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    text = json.dumps(carrier)
    if len(text) > _LONGEST_CARRIED:
        carrier.clear()
        TraceContextTextMapPropagator().inject(carrier)
        text = json.dumps(carrier)
    return text if carrier else ""


def _carrier(text: str) -> dict[str, str]:
    """Return what the text carries; nothing if others have written something else there."""
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str)}
