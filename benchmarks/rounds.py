"""Rounds: the sides of a measurement take turns, several times, so that a busy moment of the machine hits them all."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from dataclasses import dataclass
from statistics import median

from benchmarks import child
from benchmarks.measurement import Figures, Measurement
from benchmarks.places import Place, PostgresPlace

NAMES = (
    "steps",
    "drain",
    "processes",
    "bound",
    "partitions",
    "newcomer",
    "starts",
    "bulk",
    "latency",
    "messages",
    "children",
    "fanout",
    "streams",
    "replay",
    "due",
    "recovery",
    "idle",
    "claims",
    "backlog",
    "sleepers",
    "tasks",
    "pages",
)
#: What must be installed for a side that is not of this project.
MODULES = {
    "dbos": "dbos",
    "django_tasks_db": "django_tasks_db",
    "procrastinate": "procrastinate",
    "huey": "huey",
}


@dataclass(frozen=True)
class Result:
    """What the rounds of one measurement on one kind of database gave."""

    measurement: Measurement
    database: str
    version: str
    rounds: list[Figures]

    def median_of(self, side: str, figure: str) -> float | None:
        found = [figures[side][figure] for figures in self.rounds if figure in figures.get(side, {})]
        return median(found) if found else None


def measurement(name: str) -> Measurement:
    found: Measurement = importlib.import_module(f"benchmarks.{name}").MEASUREMENT
    return found


def is_installed(side: str) -> bool:
    return side not in MODULES or importlib.util.find_spec(MODULES[side]) is not None


def run(measured: Measurement, place: Place, rounds: int, *, is_quick: bool) -> Result:
    """Run all rounds. A side that fails is reported, and missing from that round."""
    result = Result(measured, place.kind, place.version, [])
    for number in range(rounds):
        figures: Figures = {}
        sides = [side for side in measured.sides if measured.needs.get(side, place.kind) == place.kind]
        for side in filter(is_installed, sides):
            say(f"{measured.name} on {place.kind}, round {number + 1} of {rounds}: {side} ...")
            try:
                figures[side] = _turn(measured, side, place, is_quick=is_quick)
            except child.ChildFailed as error:
                say(str(error))
            else:
                say("   " + ", ".join(f"{name} {value:.4g}" for name, value in figures[side].items()))
        result.rounds.append(figures)
    return result


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _turn(measured: Measurement, side: str, place: Place, *, is_quick: bool) -> dict[str, float]:
    size = measured.quick_size if is_quick else measured.size
    log = str(place.server.folder / "log") if isinstance(place, PostgresPlace) else ""
    url = _database(measured, side, place, is_quick=is_quick)
    try:
        answer: dict[str, float] = child.call(measured.name, side, size, url=url, server_log=log)
        return answer
    finally:
        if not measured.is_kept:
            place.remove(url)


def _database(measured: Measurement, side: str, place: Place, *, is_quick: bool) -> str:
    fill = measured.fill_of(side)
    percent = 10 if is_quick else 100

    def fill_new(url: str) -> None:
        child.call("filling", fill, percent, url=url)

    return (place.kept if measured.is_kept else place.fresh)(f"bench_{fill}", fill_new)
