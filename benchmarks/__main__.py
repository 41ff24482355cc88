"""
The command: `python -m benchmarks [--only steps,latency] [--database postgresql] [--rounds 3] [--quick]`.

Progress goes to stderr, the report to stdout. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import machine, report, rounds
from benchmarks.places import Place, PostgresPlace, SqlitePlace
from benchmarks.rounds import NAMES, Result
from tests.postgres import temporary_server

_DATABASES = ("postgresql", "sqlite")


def main() -> None:
    """Measure what was asked for, and print the report."""
    options = _options()
    os.environ["DURABLE_BENCH_SYNCHRONOUS"] = options.synchronous
    load_before = machine.load()
    results = []
    try:
        for database in options.database:
            with _place(database) as place:
                for name in options.only:
                    measured = rounds.measurement(name)
                    results.append(rounds.run(measured, place, options.rounds, is_quick=options.quick))
                    rounds.say(report.table(results[-1:]))
    except KeyboardInterrupt:
        rounds.say("Interrupted: the report holds what was measured so far.")
    _print(results, options, load_before)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", type=_names(NAMES), default=list(NAMES), help=f"comma separated: {', '.join(NAMES)}")
    parser.add_argument("--database", type=_names(_DATABASES), default=list(_DATABASES), help=" or ".join(_DATABASES))
    parser.add_argument("--rounds", type=int, default=3, help="turns of each side; the medians are shown (3)")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, smaller tables: a first impression")
    parser.add_argument("--synchronous", choices=("NORMAL", "FULL"), default="NORMAL", help="SQLite's setting (NORMAL)")
    return parser.parse_args()


class _names:  # noqa: N801 - argparse shows the name
    """Comma separated names out of a list."""

    def __init__(self, known: tuple[str, ...]) -> None:
        self.known = known

    def __call__(self, text: str) -> list[str]:
        names = text.split(",")
        unknown = [name for name in names if name not in self.known]
        if unknown:
            message = f"{', '.join(unknown)} is unknown. Choose from {', '.join(self.known)}."
            raise argparse.ArgumentTypeError(message)
        return names


@contextlib.contextmanager
def _place(database: str) -> Iterator[Place]:
    if database == "sqlite":
        with tempfile.TemporaryDirectory(prefix="durable-bench-") as folder:
            yield SqlitePlace(Path(folder))
    else:
        # Durability as a production server has it: the parameters of the tests' servers leave fsync out.
        with temporary_server(fsync="on") as server:
            yield PostgresPlace(server)


def _print(results: list[Result], options: argparse.Namespace, load_before: str) -> None:
    versions = list(dict.fromkeys(result.version for result in results))
    size = "quick run" if options.quick else "full run"
    print(f"# Benchmarks: {size}, medians of {options.rounds} interleaved rounds\n")
    print("\n".join(f"- {fact}" for fact in machine.facts(versions)))
    print(f"- load average before {load_before}, after {machine.load()}\n")
    print(report.table(results))
    print(f"\n## All rounds\n\n{report.spread(results)}")


if __name__ == "__main__":
    main()
