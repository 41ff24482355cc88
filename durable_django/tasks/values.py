"""Arguments and results of tasks, as JSON keeps them."""

from __future__ import annotations

import json
from typing import Any

from durable_django.tasks.sources import normalize_json


def as_json(value: Any) -> Any:
    """
    Return the value as JSON keeps it, and as whoever reads it will see it: tuples are lists, keys are texts.

    Raises TypeError for types that JSON does not have, ValueError for NaN and infinities.
    """
    return json.loads(json.dumps(normalize_json(value), allow_nan=False))
