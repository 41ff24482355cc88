"""A process that sweeps until nothing is left to prune: see test_retention.py."""

from __future__ import annotations

import sys

import django

django.setup()

from durable_django.models import Workflow, retention  # noqa: E402
from tests.sample import flags  # noqa: E402


def main() -> None:
    """Print how many workflows this process has pruned."""
    flags.raise_flag("ready")
    flags.wait_for("go")
    print(sum(retention.sweep(Workflow.objects.all())))


if __name__ == "__main__":
    sys.exit(main())
