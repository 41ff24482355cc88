"""
One stress run on the database of the environment: `python -m tests.stress.battle --seconds 120 --report file.json`.

Load and chaos go on for so long; then nothing more is disturbed, and all that was started must end well.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from durable_django.models import Schedule, Workflow  # noqa: E402
from tests.stress.chaos import Chaos  # noqa: E402
from tests.stress.load import Load, insist  # noqa: E402
from tests.stress.verdict import Verdict  # noqa: E402

#: Recoveries in a row wait for up to a minute each; that long, and longer, is no reason for concern.
QUIET_SECONDS = 300.0


def fight(seconds: float, seed: int) -> dict[str, Any]:
    """Return what happened and what is wrong."""
    call_command("migrate", verbosity=0)
    # Those of the example project are no part of the load.
    Schedule.objects.pause()
    chaos, load = Chaos(Path(os.environ["DURABLE_TEST_FOLDER"]), seed), Load(seed)
    with contextlib.ExitStack() as stack:
        stack.callback(chaos.reap)
        load.start()
        chaos.go_on(seconds)
        load.stopping.set()
        load.join()
        chaos.calm_down()
        quiet_after = wait_until_quiet(load)
        chaos.end()
    load.observe()
    verdict = Verdict(load.promises)
    problems = verdict.problems()
    if load.error is not None:
        problems.append(f"the load ended early: {load.error!r}")
    return {
        "seconds": seconds,
        "seed": seed,
        "disturbances": dict(chaos.done),
        "figures": {**verdict.figures(), "seconds until all was quiet": round(quiet_after)},
        "problems": problems,
    }


def wait_until_quiet(load: Load) -> float:
    """Wait until every workflow has ended and is let go. Return how long it took; give up after some minutes."""
    began = time.monotonic()
    while time.monotonic() - began < QUIET_SECONDS:
        insist(load.observe)
        if not insist(lambda: Workflow.objects.filter(finished_at=None).exists()) and not insist(
            lambda: Workflow.objects.filter(worker__isnull=False).exists()
        ):
            break
        time.sleep(0.2)
    return time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.stress.battle")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--report", type=Path, required=True)
    options = parser.parse_args()
    options.report.write_text(json.dumps(fight(options.seconds, options.seed)))


if __name__ == "__main__":
    main()
