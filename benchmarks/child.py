"""
One measured process: `python -m benchmarks.child steps durable 500` calls benchmarks.steps.durable(500).

Every side of every round runs in a process of its own, so that neither imports nor threads of one disturb another. The
last line on stdout is the answer, as JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from typing import Any


class ChildFailed(RuntimeError):
    """A measured process ended badly; the message ends with what it said."""


def call(module: str, function: str, size: int, *, url: str, server_log: str = "") -> Any:
    """Call a function of a module of this package in a new process, with the database of `url`."""
    command = [sys.executable, "-m", "benchmarks.child", module, function, str(size)]
    environment = {**os.environ, **environment_of(url), "DURABLE_BENCH_SERVER_LOG": server_log}
    environment |= {"DURABLE_BENCH_MODULE": module, "DURABLE_BENCH_SIDE": function}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ChildFailed(f"{module}.{function}({size}) failed:\n{done.stdout[-2000:]}\n{done.stderr[-6000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def environment_of(url: str) -> dict[str, str]:
    """Return what a process needs to work on a database."""
    return {"DURABLE_BENCH_URL": url, "DJANGO_SETTINGS_MODULE": "benchmarks.settings"}


def url_of_this_run() -> str:
    return os.environ["DURABLE_BENCH_URL"]


def main() -> None:
    """Call what the command line names, and print the answer."""
    module, function, size = sys.argv[1:]
    if function != "dbos":
        import django

        django.setup()
    answer = getattr(importlib.import_module(f"benchmarks.{module}"), function)(int(size))
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
