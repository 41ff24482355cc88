"""Entry of a worker process: `python -m durable_django.worker`, started by the supervisor only."""

from __future__ import annotations

import os
import sys

import django

# Models can be imported only after this.
django.setup()

from durable_django.worker import supervisor  # noqa: E402

if __name__ == "__main__":
    code = supervisor.run_child(os.environ)
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads that are still in a step must not keep the process: their workflows are recovered elsewhere.
    os._exit(code)
