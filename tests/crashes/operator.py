"""A process that does one thing that operators do: see test_verbs.py."""

from __future__ import annotations

import sys
from typing import Any

import django

django.setup()

from durable_django.models import Workflow  # noqa: E402

VERBS: dict[str, Any] = {
    "fork": lambda rows: rows.filter(forked_from__isnull=True).fork(from_failure=True),
    "purge": lambda rows: rows.purge(),
    "cancel": lambda rows: rows.filter(pk="root").cancel(),
}


def main() -> None:
    """Print how many workflows that were."""
    print(VERBS[sys.argv[1]](Workflow.objects.all()))


if __name__ == "__main__":
    sys.exit(main())
