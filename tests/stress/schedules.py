"""
Schedules under fire: `python -m tests.stress.schedules --seconds 120 --workers 8`.

Workers evaluate one tick a second and one that must not overlap, and are killed, one by one, all the time. When that is
over, every second must have its tick, once, and no two runs of the other schedule may have lived at the same time.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import time
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from durable_django.base.clock import Now  # noqa: E402
from durable_django.models import Schedule, Workflow  # noqa: E402
from tests.crashes.harness import WorkerUnderTest, wait_until  # noqa: E402

SETTINGS = {"LEASE_SECONDS": 5, "HEARTBEAT_SECONDS": 0.5, "POLL_SECONDS": 0.5, "MAX_RECOVERIES": 1000}


def fight(seconds: float, count: int, seed: int) -> dict[str, Any]:
    """Return what happened and what is wrong."""
    call_command("migrate", verbosity=0)
    Schedule.objects.pause()
    folder, chance = Path(os.environ["DURABLE_TEST_FOLDER"]), random.Random(seed)
    environment = {"DURABLE_TEST_SETTINGS": json.dumps(SETTINGS)}
    workers = [WorkerUnderTest(folder / f"w{n}.log", ("--threads", "2"), environment) for n in range(count)]
    try:
        for worker in workers:
            worker.wait_until_ready()
        _make("ticks", "sample.ticks")
        _make("alone", "sample.takes_a_while", overlap="skip")
        kills = _kill(workers, chance, seconds)
        wait_until(lambda: Schedule.objects.firing().filter(next_at__gt=Now()).count() == 2, "nothing is due any more")
        Schedule.objects.pause()
        wait_until(lambda: not Workflow.objects.filter(finished_at=None).exists(), "all runs have ended", 120)
    finally:
        for worker in workers:
            worker.reap()
    return {"seconds": seconds, "workers": count, "kills": kills, **_verdict()}


def _make(name: str, workflow: str, **columns: Any) -> None:
    Schedule.objects.create(name=f"stress-{name}", cron="* * * * * *", timezone="UTC", workflow=workflow, **columns)


def _kill(workers: list[WorkerUnderTest], chance: random.Random, seconds: float) -> int:
    end, kills = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        time.sleep(chance.uniform(0.1, 1.0))
        for pid in chance.choice(workers).children[:1]:
            os.kill(pid, signal.SIGKILL)
            kills += 1
    return kills


def _verdict() -> dict[str, Any]:
    name = "stress-ticks"
    ids = Workflow.objects.of_schedule(name).values_list("pk", flat=True)
    found = [datetime.fromisoformat(pk.removeprefix(f"schedule:{name}:")) for pk in ids]
    expected = [found[0] + timedelta(seconds=number) for number in range(int((found[-1] - found[0]).seconds) + 1)]
    runs = list(Workflow.objects.of_schedule("stress-alone").values_list("created_at", "finished_at"))
    return {
        "ticks": len(found),
        "missing": len(set(expected) - set(found)),
        "twice": len(found) - len(set(found)),
        "failed": Workflow.objects.exclude(status="succeeded").count(),
        "runs alone": len(runs),
        "overlaps": sum(later[0] < earlier[1] for earlier, later in pairwise(runs)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.stress.schedules")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    found = fight(options.seconds, options.workers, options.seed)
    found["is_wrong"] = bool(found["missing"] or found["twice"] or found["failed"] or found["overlaps"])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
