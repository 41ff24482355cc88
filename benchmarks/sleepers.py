"""What a hundred thousand sleeping and as many receiving workflows cost an idle worker, and how soon any one wakes."""

from __future__ import annotations

import time

from benchmarks import crowds, percentiles, workers
from benchmarks.measurement import Measurement, Row, Target

MEASUREMENT = Measurement(
    name="sleepers",
    size=60,
    quick_size=15,
    sides=("durable", "empty"),
    fills={"durable": "crowd"},
    rows=(
        Row(
            "cpu",
            "worker beside 100,000 sleepers and 100,000 receivers: share of a core (%)",
            (Target("postgresql", of="empty", at_most=1.1), Target("sqlite", of="empty", at_most=1.1)),
        ),
        Row(
            "memory",
            "worker beside 100,000 sleepers and 100,000 receivers: memory (MB)",
            (Target("postgresql", of="empty", at_most=1.1), Target("sqlite", of="empty", at_most=1.1)),
        ),
        Row(
            "sent",
            "send() to one of the 100,000 receivers, to the step behind receive(), p99 (ms)",
            (Target("postgresql", at_most=100),),
        ),
        Row(
            "due",
            "moment of one of the 100,000 sleepers, to the step behind sleep(), p99 (ms)",
            (Target("postgresql", at_most=100),),
        ),
    ),
)
_SETTLING_SECONDS = 5
_WOKEN = 200
#: Sleepers are due after so many seconds, one in each tenth of a second.
_NOTICE_SECONDS = 5
_EVERY_SECONDS = 0.1


def durable(seconds: int) -> dict[str, float]:
    with workers.durable_worker() as pid:
        cost = _cost(pid, seconds)
        return {**cost, "sent": _delay_of_mail(), "due": _delay_of_sleepers()}


def empty(seconds: int) -> dict[str, float]:
    with workers.durable_worker() as pid:
        return _cost(pid, seconds)


def _cost(pid: int, seconds: int) -> dict[str, float]:
    from benchmarks.workflows import one_step

    one_step.start(1).result()
    time.sleep(_SETTLING_SECONDS)
    before, began_at = workers.cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    share = 100 * (workers.cpu_seconds(pid) - before) / (time.monotonic() - began_at)
    return {"cpu": share, "memory": workers.resident_megabytes(pid)}


def _delay_of_mail() -> float:
    from durable_django import get_handle, send

    sent_at = {}
    for number in range(1, _WOKEN + 1):
        percentiles.pause_at_random()
        sent_at[f"hears-{number * 7}"] = time.clock_gettime(time.CLOCK_MONOTONIC)
        send(f"hears-{number * 7}", 1)
    delays = [(get_handle(target).result() - moment) * 1000 for target, moment in sent_at.items()]
    return percentiles.of_milliseconds(delays)["p99"]


def _delay_of_sleepers() -> float:
    """Return the percentile; the database runs on this machine, so that both clocks agree."""
    from durable_django import get_handle
    from durable_django.models import Workflow

    crowds.sleep_until(crowds.seconds_from_now(f"{_NOTICE_SECONDS} + number * {_EVERY_SECONDS}"), "sleeps", _WOKEN)
    names = [f"sleeps-{number}" for number in range(1, _WOKEN + 1)]
    due_at = dict(Workflow.objects.filter(pk__in=names).values_list("pk", "run_after"))
    # What a step returns is of the monotonic clock.
    shift = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
    delays = [(get_handle(name).result() + shift - due_at[name].timestamp()) * 1000 for name in names]
    return percentiles.of_milliseconds(delays)["p99"]
