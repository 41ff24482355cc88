"""The timeline as a table: every step with its outcome, for who reads, copies, or does not see the drawing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from durable_django.admin.badges import badge
from durable_django.admin.cells import breakable
from durable_django.admin.moments import moment
from durable_django.admin.workflow_page.failures import Frames, frames_of
from durable_django.admin.workflow_page.values import Values
from durable_django.base.texts import plain
from durable_django.management.durations import spoken_seconds
from durable_django.management.history import History, StepHistory, seconds_between

#: Failed steps whose tracebacks are on the page, the last ones.
_MOST_TRACEBACKS = 20


@dataclass(frozen=True)
class Line:
    """One row of the table; `download` leads to all of its outcome, empty if there is none or it may not be seen."""

    key: int
    position: str
    name: str
    kind: str
    badge: SafeString
    attempt: int
    retries: int
    start: str
    begun_at: str
    took: str
    came_of_it: str
    frames: Sequence[Frames]
    download: str

    @property
    def shown_name(self) -> SafeString:
        """The name as a column shows it."""
        return breakable(self.name)


def lines_of(history: History, values: Values) -> list[Line]:
    """Return the rows of the table."""
    failed = [entry.step.pk for entry in history.steps if entry.error.head is not None]
    with_frames = set(failed[-_MOST_TRACEBACKS:]) if values.is_permitted else set()
    return [_line(history, entry, values, has_frames=entry.step.pk in with_frames) for entry in history.steps]


def _line(history: History, entry: StepHistory, values: Values, *, has_frames: bool) -> Line:
    step = entry.step
    traceback = values.showing.error(entry.error).traceback if has_frames else ""
    return Line(
        key=step.pk,
        position=plain(step.place),
        name=plain(step.name),
        kind="" if step.kind == "step" else plain(step.kind),
        badge=badge(entry.state, STATES[entry.state]()),
        attempt=step.attempt,
        retries=step.retries,
        start=spoken_seconds(seconds_between(history.workflow.started_at, step.started_at)),
        begun_at=moment(step.started_at) if step.started_at else "",
        took=spoken_seconds(entry.seconds),
        came_of_it=values.line(entry.output) if entry.error.head is None else values.error_line(entry.error),
        frames=list(frames_of(traceback)),
        download=_download(entry, values),
    )


def _download(entry: StepHistory, values: Values) -> str:
    if not values.is_permitted or (entry.error.head is None and entry.output.head is None):
        return ""
    column = "output" if entry.error.head is None else "error"
    return values.addresses.payload(values.workflow_id, f"step-{entry.step.pk}-{column}")


STATES: dict[str, Callable[[], str]] = {
    "done": lambda: _("done"),
    "failed": lambda: _("failed"),
    "retrying": lambda: _("retrying"),
    "waiting": lambda: _("waiting"),
}
