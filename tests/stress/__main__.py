"""
The stress run: `make stress ARGS="--seconds 600"`.

On each database: random kills, freezes and cuts under load for so long, then the boundary sweep in its long form, then
races between those who wait and those who bring, then schedules whose workers are killed. A report in Markdown goes to
the standard output; the exit code is 1 if anything is lost, doubled or changed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.run import DATABASES, postgresql_server, temporary_folder

SCENARIOS = (
    "plain_and_atomic",
    "suspended",
    "napping",
    "compensated",
    "retried_as_a_whole",
    "cancelled_at_its_deadline",
    "timed_out",
    "asleep",
    "conversing",
    "publishing",
)


def main() -> int:
    """Run what the command line asks for. Return the exit code."""
    options = parse()
    is_well = True
    print(f"# Stress report\n\nPython {platform.python_version()}, {os.cpu_count()} cores, seed {options.seed}.")
    for database in options.only or DATABASES:
        say(f"{database}: {options.seconds:g} s of chaos, then the sweep ...")
        with surroundings(database) as environment:
            battle = fight(environment, options)
            sweeps = [sweep(environment, scenario, options) for scenario in SCENARIOS]
            races = race(environment, options)
        with surroundings(database) as environment:
            ticks = tick(environment, options)
        is_wrong = battle["problems"] or any(found["wrong"] for found in sweeps)
        is_well = not (is_wrong or races["is_wrong"] or ticks["is_wrong"]) and is_well
        print(described(database, battle, sweeps, races), flush=True)
        print("\n### Schedules\n" + table("figure", "value", ticks.items()), flush=True)
    return 0 if is_well else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.stress", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120, help="of chaos on each database (default 120)")
    parser.add_argument("--pairs", type=int, default=40, help="pairs of crashes in each scenario of the sweep (40)")
    parser.add_argument("--races", type=int, default=500, help="of each kind, between a waiter and a bringer (500)")
    parser.add_argument("--only", choices=DATABASES, action="append", help="run on this database alone")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of everything that is random")
    return parser.parse_args()


def say(text: str) -> None:
    """Tell the person who waits; the standard output is the report."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def surroundings(database: str) -> Iterator[dict[str, str]]:
    """Yield the environment of a new, empty database."""
    server = postgresql_server() if database == "postgresql" else contextlib.nullcontext({})
    with server as address, temporary_folder() as folder:
        yield {
            **os.environ,
            **address,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DURABLE_TEST_DATABASE": database,
            "DURABLE_TEST_FOLDER": str(folder),
        }


def fight(environment: dict[str, str], options: argparse.Namespace) -> dict[str, Any]:
    report = Path(environment["DURABLE_TEST_FOLDER"]) / "report.json"
    command = [sys.executable, "-m", "tests.stress.battle", "--report", str(report)]
    subprocess.run([*command, f"--seconds={options.seconds}", f"--seed={options.seed}"], env=environment, check=True)
    return json.loads(report.read_text())


def sweep(environment: dict[str, str], scenario: str, options: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.crashes.sweep", scenario, "--reads"]
    done = subprocess.run(
        [*command, f"--pairs={options.pairs}", f"--seed={options.seed}"],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
    )
    return json.loads(done.stdout)


def race(environment: dict[str, str], options: argparse.Namespace) -> dict[str, Any]:
    command = [
        sys.executable,
        "-m",
        "tests.stress.races",
        f"--pairs={options.races}",
        f"--timeouts={2 * options.races}",
    ]
    done = subprocess.run([*command, f"--seed={options.seed}"], env=environment, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def tick(environment: dict[str, str], options: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.stress.schedules", f"--seconds={options.seconds}", f"--seed={options.seed}"]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def described(database: str, battle: dict[str, Any], sweeps: list[dict[str, Any]], races: dict[str, Any]) -> str:
    """Return one database's part of the report."""
    problems = battle["problems"]
    return "\n".join(
        [
            f"\n## {database}\n\n### {battle['seconds']:g} seconds of chaos: "
            + (f"{len(problems)} problems" if problems else "nothing lost, nothing doubled, nothing changed"),
            *(f"- {problem}" for problem in problems[:50]),
            table("disturbance", "times", sorted(battle["disturbances"].items())),
            table("figure", "value", battle["figures"].items()),
            "\n### Boundary sweep",
            table(
                "workflow | boundaries | pairs",
                "wrong",
                [
                    (f"{found['scenario']} | {found['boundaries']} | {found['pairs']}", len(found["wrong"]))
                    for found in sweeps
                ],
            ),
            *(f"- {found['scenario']}: {found['wrong']}" for found in sweeps if found["wrong"]),
            "\n### Races",
            table(
                "of whom | pairs | suspended meanwhile",
                "wake-ups lost",
                [
                    (f"{kind} | {found['pairs']} | {found['suspended']}", len(found["lost"]))
                    for kind, found in races["wake_ups"].items()
                ],
            ),
            f"\nA timeout and a message, {races['timeouts']['pairs']} times: {races['timeouts']}",
            f"\nAn end and a cancellation, {races['endings']['pairs']} times: {races['endings']}",
        ]
    )


def table(left: str, right: str, rows: Any) -> str:
    """Return a Markdown table."""
    columns = left.count("|") + 2
    lines = [f"| {left} | {right} |", "|" + "---|" * columns, *(f"| {key} | {value} |" for key, value in rows)]
    return "\n" + "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
