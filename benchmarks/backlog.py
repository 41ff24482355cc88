"""What a claim of eight costs from a queue of a million workflows, beside one of a thousand."""

from __future__ import annotations

from benchmarks import claims
from benchmarks.measurement import Measurement, Row, Target

_TARGETS = (Target("postgresql", of="empty", at_most=1.5), Target("sqlite", of="empty", at_most=1.5))

MEASUREMENT = Measurement(
    name="backlog",
    size=200,
    quick_size=100,
    sides=("durable", "empty"),
    fills={"durable": "long_queue", "empty": "short_queue"},
    is_kept=True,
    rows=(Row("claim", "claim of 8 from 1,000,000 queued, beside some 1,000 (ms)", _TARGETS),),
)


def durable(size: int) -> dict[str, float]:
    return {"claim": claims.durable(size)["claim"]}


def empty(size: int) -> dict[str, float]:
    return durable(size)
