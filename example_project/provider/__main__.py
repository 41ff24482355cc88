"""Run the provider: PAYMENT_WEBHOOK_SECRET=... python -m example_project.provider --port 8765 --webhook http://..."""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path

from example_project.provider.server import run


def main() -> None:
    """Read the arguments and serve until interrupted."""
    parser = argparse.ArgumentParser(description="A payment provider that fails at times, always in the same way.")
    parser.add_argument("--port", type=int, default=8765, help="0 takes a free one; the address is printed")
    parser.add_argument("--ledger", type=Path, default=Path("provider.sqlite3"), help="SQLite file of all charges")
    parser.add_argument("--webhook", required=True, help="address that is told what became of a charge")
    options = parser.parse_args()
    run(
        port=options.port,
        ledger_path=options.ledger,
        webhook_url=options.webhook,
        # Not an argument: everybody on the machine can read those.
        secret=os.environ["PAYMENT_WEBHOOK_SECRET"],
        announce=partial(print, flush=True),
    )


if __name__ == "__main__":
    main()
