"""
Run the suite on SQLite and on PostgreSQL, then a part of it with the newest Django; the last line counts all tests.

    python -m tests.run                                     both databases, in parts, then the newest Django
    python -m tests.run --only sqlite tests.rooms -v 2      labels and options go to Django's test command
    python -m tests.run --newest only tests.rooms           with the newest Django alone: see newest.py
    python -m tests.run --seed 4711                         in the order of an earlier run

The server is started here, unless DURABLE_TEST_DATABASE_URL names one. Warnings are errors.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import newest
from tests.browser import chromium
from tests.postgres import temporary_server

DATABASES = ("sqlite", "postgresql")
PROJECT = Path(__file__).parent.parent
#: The parts of the suite that start workers, servers and browsers, and mostly wait for them.
WITH_PROCESSES = {"crashes": ["tests.crashes"], "pages": ["tests.browser", "tests.example"]}
#: The parts in the order in which they begin; the one without a name is all others. Kills take longest.
_ORDER = ("crashes", "", "pages")
#: Two processors have no room for more; half of these mostly wait.
_AT_ONCE = 4
#: Of any module, also in the workers that tests start. RuntimeWarning is Django's word for a naive datetime.
WARNINGS = "error::DeprecationWarning,error::ResourceWarning,error::RuntimeWarning"


@dataclass(frozen=True)
class Counts:
    """How many tests passed, failed and were skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


@dataclass(frozen=True)
class Suite:
    """Some tests on one database, with the Django of one interpreter."""

    name: str
    database: str
    python: str
    arguments: Sequence[str]
    part: str = ""


class SuiteProcess:
    """The suite on one database, in a process of its own."""

    def __init__(self, name: str, command: Sequence[str], *, environment: dict[str, str], folder: Path) -> None:
        self.name = name
        self.command = command
        self.counts_file = folder / "counts.json"
        self.output_file = folder / "output.txt"
        self.environment = {
            **os.environ,
            **environment,
            "DURABLE_TEST_FOLDER": str(folder),
            "DURABLE_TEST_COUNTS": str(self.counts_file),
            "PYTHONWARNINGS": WARNINGS,
        }

    def start(self, *, captured: bool) -> None:
        """
        Start; a captured suite writes to a file and has a process group of its own, which stop() ends.

        Not a session of its own: Linux gives each of those an equal share, however nice its processes are.
        """
        self.captured = captured
        self.started = time.monotonic()
        output = self.output_file.open("wb") if captured else None
        self.process = subprocess.Popen(
            self.command,
            cwd=PROJECT,
            env=self.environment,
            stdin=subprocess.DEVNULL if captured else None,
            stdout=output,
            stderr=subprocess.STDOUT if captured else None,
            process_group=0 if captured else None,
        )

    def stop(self) -> None:
        """End what still runs: the suite itself, if it was interrupted, and workers that a test forgot."""
        was_running = self.process.poll() is None
        if self.captured:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        elif was_running:
            self.process.terminate()
        self.process.wait()
        if was_running and self.captured:
            self.show_output()

    def report(self) -> Counts:
        """Print the captured output and return the counts; a suite that ended without counting failed."""
        self.seconds = time.monotonic() - self.started
        if self.captured:
            self.show_output()
        if not self.counts_file.exists():
            print(f"The suite on {self.name} ended before it had counted (exit code {self.process.returncode}).")
            return Counts(failed=1)
        counts = Counts(**json.loads(self.counts_file.read_text()))
        return counts if counts.failed or not self.process.returncode else counts + Counts(failed=1)

    def show_output(self) -> None:
        """Print what the suite has written so far."""
        print(f"\n== {self.name} {'=' * 100}"[:100], flush=True)
        sys.stdout.buffer.write(self.output_file.read_bytes())
        sys.stdout.flush()


def main() -> int:
    """Run what the command line asks for; return the exit code."""
    options, arguments = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    results = {}
    for batch in batches(options, arguments):
        with contextlib.ExitStack() as stack:
            suites = [prepared(stack, suite, options) for suite in batch]
            results |= run(suites, parallel=options.parallel_databases and len(suites) > 1)
    return summarise(results, options.seed, is_whole=not arguments)


def batches(options: argparse.Namespace, arguments: list[str]) -> list[list[Suite]]:
    """Return the suites, those together that may run at the same time."""
    databases = options.only or DATABASES
    ours = [suite for database in databases for suite in parts(database, arguments)]
    if options.newest == "no" or (options.newest == "auto" and arguments):
        return [ours]
    python = newest.interpreter()
    theirs = [
        Suite(f"{database}, Django {newest.SERIES}", database, python, arguments or newest.LABELS[database])
        for database in databases
        if python
    ]
    if options.newest == "only":
        return [theirs]
    # One server for all has no room for two test databases of one name.
    if os.environ.get("DURABLE_TEST_DATABASE_URL"):
        return [ours, theirs]
    return [sorted([*ours, *theirs], key=lambda suite: _ORDER.index(suite.part))]


def parts(database: str, arguments: list[str]) -> list[Suite]:
    """Return the whole suite in three: tests with processes of their own mostly wait, while the others compute."""
    is_shared = database == "postgresql" and os.environ.get("DURABLE_TEST_DATABASE_URL")
    if arguments or is_shared:
        return [Suite(database, database, sys.executable, arguments)]
    folders = [path.parent.name for path in PROJECT.glob("tests/*/__init__.py")]
    names = sorted(f"tests.{name}" for name in [*folders, *(path.stem for path in PROJECT.glob("tests/test_*.py"))])
    others = [name for name in names if not any(name in labels for labels in WITH_PROCESSES.values())]
    return [
        *(
            Suite(f"{database}, {part}", database, sys.executable, labels, part)
            for part, labels in WITH_PROCESSES.items()
        ),
        Suite(database, database, sys.executable, others),
    ]


def prepared(stack: contextlib.ExitStack, suite: Suite, options: argparse.Namespace) -> SuiteProcess:
    """Return the process of a suite, with a folder and a server of its own for the time of the stack."""
    command = [suite.python, "-m", "django", "test", "--settings=tests.settings", "--noinput"]
    if options.parallel_databases and not suite.part:
        # What computes leaves the processors to what waits for a worker or for a browser, and takes what is left.
        command.insert(0, "nice")
    return SuiteProcess(
        suite.name,
        [*command, f"--shuffle={options.seed}", *suite.arguments],
        environment={
            **(stack.enter_context(postgresql_server()) if suite.database == "postgresql" else {}),
            "DURABLE_TEST_DATABASE": suite.database,
            "DURABLE_TEST_SECONDS": str(options.seconds),
        },
        folder=stack.enter_context(temporary_folder()),
    )


def parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return the options of this command and what is left for Django's."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.run",
        description="Run the suite on SQLite and on PostgreSQL. Labels and other options go to Django's test command.",
        allow_abbrev=False,
    )
    parser.add_argument("--only", choices=DATABASES, action="append", help="run on this database alone")
    parser.add_argument(
        "--newest",
        choices=("auto", "only", "no"),
        default="auto",
        help="with the newest Django too, unless there are labels (default), with it alone, or without it",
    )
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="order of the tests")
    parser.add_argument(
        "--parallel-databases",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="run both databases at the same time (default)",
    )
    parser.add_argument("--seconds", type=float, default=1800, help="give up a suite that hangs (default: 30 minutes)")
    return parser.parse_known_args(arguments)


def run(suites: Sequence[SuiteProcess], *, parallel: bool) -> dict[SuiteProcess, Counts]:
    """Run the suites, at most so many at the same time, and return their counts in the order in which they ended."""
    waiting, running, results = list(suites), [], {}
    with contextlib.ExitStack() as stack:
        while waiting or running:
            while waiting and len(running) < (_AT_ONCE if parallel else 1):
                suite = waiting.pop(0)
                print(f"Running the suite on {suite.name} ...", flush=True)
                suite.start(captured=parallel)
                stack.callback(suite.stop)
                running.append(suite)
            for suite in [suite for suite in running if suite.process.poll() is not None]:
                running.remove(suite)
                results[suite] = suite.report()
            time.sleep(0.05)
    return results


def summarise(results: dict[SuiteProcess, Counts], seed: int, *, is_whole: bool) -> int:
    """Print the counts, those of all databases alone on the last line, and return the exit code."""
    total = sum(results.values(), Counts())
    print()
    for suite, counts in results.items():
        print(f"{suite.name:<24}{counts} in {suite.seconds:.1f} s")
    print(f"Same order of tests: python -m tests.run --seed {seed}")
    if is_whole and chromium.missing():
        # Where nobody can overlook it: not among the reasons that each suite gives for what it skipped.
        print(f"{'!' * 100}\n{chromium.missing()}\n{'!' * 100}")
    print(total, flush=True)
    return 1 if total.failed else 0


@contextlib.contextmanager
def postgresql_server() -> Iterator[dict[str, str]]:
    """Start a server unless the environment names one; yield what the suite must know of it."""
    if os.environ.get("DURABLE_TEST_DATABASE_URL"):
        yield {}
        return
    with temporary_server() as server:
        yield server.environment


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a folder that is gone afterwards, even if a worker that is just dying still writes into it."""
    folder = tempfile.mkdtemp(prefix="durable-test-")
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
