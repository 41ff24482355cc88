"""The same task for procrastinate."""

from __future__ import annotations

from procrastinate.contrib.django import app


@app.task
def add_one(number: int) -> int:
    return number + 1
