"""A process in which many threads start the same id, or with the same key, at the same moment: see test_one_id.py."""

from __future__ import annotations

import json
import sys
import threading

import django
from django.db import connections

django.setup()

from durable_django import DuplicateWorkflow, WorkflowConflict  # noqa: E402
from tests.sample import flags  # noqa: E402
from tests.sample.crashing import marks  # noqa: E402


def start(barrier: threading.Barrier, key: str, options: dict[str, str]) -> None:
    barrier.wait()
    try:
        answer = marks.using(**options).start(key).id
    except WorkflowConflict as error:
        answer = type(error).__name__
    except DuplicateWorkflow as error:
        answer = f"{type(error).__name__}:{error.workflow_id}"
    # In one write: the threads share the pipe.
    sys.stdout.write(f"{answer}\n")
    connections.close_all()


def main() -> None:
    count, key, options = int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
    barrier = threading.Barrier(count)
    keys = [key or f"{flags.raise_flag('keys')}-{number}" for number in range(count)]
    threads = [threading.Thread(target=start, args=(barrier, chosen, options)) for chosen in keys]
    flags.raise_flag("ready")
    flags.wait_for("go")
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
