"""The verdict: what must hold when it is quiet again, whatever has happened before."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator

from django.db.models import Max, Sum

from durable_django.models import Step, Workflow
from tests.sample.models import Mark
from tests.sample.stressed import PLACES
from tests.stress.load import Promises


class Verdict:
    """Reads the tables once, and compares them with what callers were told."""

    def __init__(self, promises: Promises) -> None:
        self.promises = promises
        self.rows = {row.pk: row for row in Workflow.objects.all()}
        self.marks = Counter(Mark.objects.values_list("label", flat=True))
        self.steps: dict[str, list[Step]] = defaultdict(list)
        for step in Step.objects.order_by("position"):
            self.steps[step.workflow_id].append(step)

    def problems(self) -> list[str]:
        """Return everything that is wrong; empty if all is well."""
        return [
            *self._lost_and_ghosts(),
            *(problem for row in self.rows.values() for problem in self._wrong_in(row)),
            *(f"{pk}: its outcome changed from {before} to {after}" for pk, (before, after) in self._changed()),
        ]

    def _changed(self) -> list[tuple[str, list[object]]]:
        return sorted(self.promises.changed.items())  # type: ignore[arg-type]

    def _lost_and_ghosts(self) -> Iterator[str]:
        yield from (f"{key}: started, but not there" for key in self.promises.started if key not in self.rows)
        yield from (f"{key}: rolled back, but there" for key in self.promises.undone if key in self.rows)

    def _wrong_in(self, row: Workflow) -> Iterator[str]:
        kind = row.pk.partition("-")[0]
        expected = self._expected_status(row.pk, kind)
        if row.status != expected:
            yield f"{row.pk}: {row.status} instead of {expected} ({(row.error or row.reason)[:300]})"
        if row.worker is not None:
            yield f"{row.pk}: still held by {row.worker}"
        if row.status == "succeeded" and row.output != json.dumps(self._labels(row.pk, kind), separators=(",", ":")):
            yield f"{row.pk}: returned {row.output}"
        if row.status == "failed" and "is refused" not in (row.error or ""):
            yield f"{row.pk}: failed with {(row.error or '')[:300]}"
        yield from self._wrong_marks(row.pk, kind, is_complete=row.status != "cancelled")

    def _expected_status(self, key: str, kind: str) -> str:
        if self.promises.cancelled.get(key):
            return "cancelled"
        return "failed" if kind == "ends_badly" else "succeeded"

    def _labels(self, key: str, kind: str) -> list[str]:
        return [f"{key}/{place}" for place in PLACES[kind]]

    def _wrong_marks(self, key: str, kind: str, *, is_complete: bool) -> Iterator[str]:
        recorded = {step.position for step in self.steps[key] if step.output is not None}
        for position, label in enumerate(self._labels(key, kind), start=1):
            made, is_atomic = self.marks[label], "/a" in label
            if is_complete and position not in recorded:
                yield f"{label}: never recorded"
            if is_atomic and made != int(position in recorded):
                yield f"{label}: an atomic effect was applied {made} times"
            if not is_atomic and position in recorded and not made:
                yield f"{label}: recorded, but never done"
        if self.marks[f"{key}/refund"]:
            yield f"{key}: refunded because the engine was in trouble"

    def figures(self) -> dict[str, int]:
        """Return what the report tells of the run."""
        totals = Workflow.objects.aggregate(attempts=Sum("attempt"), most=Max("attempt"))
        plain = {label: made for label, made in self.marks.items() if "/p" in label and "retrying" not in label}
        return {
            "workflows": len(self.rows),
            **{f"of them {status}": count for status, count in sorted(self._statuses().items())},
            "steps recorded": sum(map(len, self.steps.values())),
            "attempts": totals["attempts"] or 0,
            "most attempts of one workflow": totals["most"] or 0,
            "plain steps run more than once": sum(made > 1 for made in plain.values()),
            "atomic effects": sum(made for label, made in self.marks.items() if "/a" in label),
            "outcomes watched": len(self.promises.outcomes),
            "starts rolled back": len(self.promises.undone),
        }

    def _statuses(self) -> Counter[str]:
        return Counter(row.status for row in self.rows.values())
