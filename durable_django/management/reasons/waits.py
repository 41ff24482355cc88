"""What waiting workflows wait for: time, a retry, a message, an event, the ends of others; and until when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import Count, Q
from django.db.models.functions import Left
from django.utils.translation import gettext as _

from durable_django.base import payloads, registry
from durable_django.base.texts import plain, shortened
from durable_django.management.reasons.wording import left, quoted, until
from durable_django.models import awaited
from durable_django.models.status import Status
from durable_django.models.step import Step
from durable_django.models.workflow import Workflow
from durable_django.redaction import Redact

#: Unfinished steps that are looked at, and of which a sentence tells.
_MOST_STEPS = 500
_MOST_TOLD = 4
#: Longer errors are not read: what they say stands at their beginning, but only all of it can be parsed.
_LONGEST_ERROR = 100_000
_LONGEST_LINE = 200
_ENDS = ("result", "wait_all", "wait_first")


class Waits:
    """
    What some workflows wait for: one query for their unfinished steps, one for their children.

    redact  hides secrets in the last error of a retry; None: errors are neither read nor told
    """

    def __init__(self, alias: str, rows: Collection[Workflow], redact: Redact | None) -> None:
        self._redact = redact
        self._steps: dict[str, list[Any]] = defaultdict(list)
        for step in _unfinished(alias, [row.pk for row in rows if _needs_steps(row)], with_errors=redact is not None):
            self._steps[step.workflow_id].append(step)
        parents = [row.pk for row in rows if row.waiting_for.startswith(("child:", awaited.FOR_SEVERAL))]
        self._children = _children(alias, parents) if parents else {}

    def reason(self, workflow: Workflow, now: datetime) -> str:
        """Return what a waiting workflow waits for, and until when."""
        text, steps = workflow.waiting_for, self._steps[workflow.pk]
        if text == awaited.FOR_RETRY:
            return self.retry(workflow, now) or self._retry_of_all(workflow, now)
        if text == awaited.FOR_SEVERAL and len(steps) != 1:
            return self._several(workflow, now)
        moments = [step.next_retry_at for step in steps if step.next_retry_at is not None]
        if text == awaited.FOR_SEVERAL:
            said = _("waits for %(thing)s") % {"thing": self._thing(steps[0], workflow)}
        else:
            said = self._of_text(text, workflow)
        return until(said, min(moments) if moments else None, now)

    def retry(self, workflow: Workflow, now: datetime) -> str:
        """Return which step is called again, and when; empty if none is."""
        for step in self._steps[workflow.pk]:
            if step.retries and step.next_retry_at is not None:
                said = _("retry %(number)d of step %(step)s in %(left)s")
                facts = {"number": step.retries, "step": quoted(step.name), "left": left(step.next_retry_at, now)}
                return self._with_error(said % facts, vars(step).get("error_head"))
        return ""

    def _retry_of_all(self, workflow: Workflow, now: datetime) -> str:
        due = workflow.run_after or now
        facts = {"number": workflow.failures, "most": _most_retries(workflow.name), "left": left(due, now)}
        if facts["most"]:
            said = _("retry %(number)d of %(most)d of the whole workflow in %(left)s") % facts
        else:
            said = _("retry %(number)d of the whole workflow in %(left)s") % facts
        return self._with_error(said, vars(workflow).get("error_head"))

    def _with_error(self, said: str, stored: str | None) -> str:
        if stored is None or self._redact is None:
            return said
        error = plain(payloads.describe_error_line(stored, _LONGEST_LINE, redact=self._redact) or "")
        return _("%(what)s, last error: %(error)s") % {"what": said, "error": error}

    def _several(self, workflow: Workflow, now: datetime) -> str:
        steps = self._steps[workflow.pk]
        told = [self._thing(step, workflow) for step in steps[:_MOST_TOLD]]
        if not told:
            return _("waits for one of several things")
        if len(steps) > _MOST_TOLD:
            told.append(_("%(count)d more") % {"count": len(steps) - _MOST_TOLD})
        said = _("waits for the first of: %(things)s") % {"things": "; ".join(told)}
        moments = [step.next_retry_at for step in steps if step.next_retry_at is not None]
        return until(said, min(moments) if moments else None, now)

    def _thing(self, step: Any, workflow: Workflow) -> str:
        if step.retries:
            return _("retry %(number)d of step %(step)s") % {"number": step.retries, "step": quoted(step.name)}
        if step.kind == "receive":
            return _message(step.name.removeprefix("receive").strip())
        if step.kind in _ENDS:
            return self._ends(workflow) or _("the end of a workflow")
        if step.kind == "get_event":
            return _("an event")
        return _("its time") if step.kind == "sleep" else quoted(step.name)

    def _of_text(self, text: str, workflow: Workflow) -> str:
        kind, _colon, what = text.partition(":")
        if text == awaited.FOR_TIME:
            return _("sleeps")
        if kind == "message":
            thing = _message(what)
        elif kind == "child":
            thing = self._ends(workflow) or _("the end of workflow %(id)s") % {"id": quoted(what)}
        elif kind == "event":
            thing = _event(text, what)
        else:
            thing = shortened(plain(text), _LONGEST_LINE)
        return _("waits for %(thing)s") % {"thing": thing}

    def _ends(self, workflow: Workflow) -> str:
        count, live = self._children.get(workflow.pk, (0, 0))
        if count < 2 or not live:  # noqa: PLR2004 - of one child the id says more
            return ""
        return _("%(live)d of %(count)d children") % {"live": live, "count": count}


def _message(topic: str) -> str:
    return _("message %(topic)s") % {"topic": quoted(topic)} if topic else _("a message")


def _event(text: str, what: str) -> str:
    origin = awaited.workflow_of(text)
    if origin is None:
        return _("event %(key)s") % {"key": quoted(what)}
    key = what.removeprefix(f"{origin}:")
    return _("event %(key)s of workflow %(id)s") % {"key": quoted(key), "id": quoted(origin)}


def _needs_steps(row: Workflow) -> bool:
    return row.run_after is not None or row.waiting_for in {awaited.FOR_RETRY, awaited.FOR_SEVERAL}


def _unfinished(alias: str, ids: Collection[str], *, with_errors: bool) -> list[Any]:
    """Return the steps of these workflows that wait, the one that ends first in front (index durable_step_key)."""
    if not ids:
        return []
    rows = Step.objects.using(alias).filter(workflow_id__in=ids, finished_at__isnull=True)
    rows = rows.only("workflow_id", "name", "kind", "retries", "next_retry_at")
    if with_errors:
        rows = rows.annotate(error_head=Left("error", _LONGEST_ERROR))
    return list(rows.order_by("workflow_id", "next_retry_at", "branch", "position")[:_MOST_STEPS])


def _children(alias: str, parents: Collection[str]) -> dict[str, tuple[int, int]]:
    """Return how many children each has, and how many of these have not ended (index durable_workflow_parent)."""
    rows = Workflow.objects.using(alias).filter(parent__in=parents).order_by().values("parent_id")
    counted = rows.annotate(count=Count("pk"), live=Count("pk", filter=Q(status__in=Status.live())))
    return {row["parent_id"]: (row["count"], row["live"]) for row in counted}


def _most_retries(name: str) -> int:
    """Return how often a workflow is called again at most; 0 if the code that says it is not loaded here."""
    retry = registry.workflows.get(name).retry if registry.workflows.knows(name) else None
    return 0 if retry is None else retry.max_attempts - 1
