"""
Which requests go wrong, and how: decided by a hash of the idempotency key and the number of the request.

The same key therefore meets the same faults in every run, and a repeated request may fare better than the first.
"""

from __future__ import annotations

import hashlib
from enum import Enum


class Behaviour(Enum):
    """How the provider treats one request."""

    ANSWER = "answer"
    #: 503; nothing was charged.
    UNAVAILABLE = "unavailable"
    #: The charge is made, the answer comes after the client has given up: the nasty case.
    LATE = "late"


UNAVAILABLE_SHARE = 0.12
LATE_SHARE = 0.08

SHORTEST_SECONDS = 0.05
LONGEST_SECONDS = 0.15
#: Longer than any sensible client waits.
LATE_SECONDS = 3.0


def behaviour_of(key: str, attempt: int) -> Behaviour:
    """Return what happens to request number `attempt` (from 1) with this idempotency key."""
    share = _share("behaviour", key, attempt)
    if share < UNAVAILABLE_SHARE:
        return Behaviour.UNAVAILABLE
    if share < UNAVAILABLE_SHARE + LATE_SHARE:
        return Behaviour.LATE
    return Behaviour.ANSWER


def latency_seconds(key: str, attempt: int) -> float:
    """Return how long the provider works on a request."""
    return SHORTEST_SECONDS + (LONGEST_SECONDS - SHORTEST_SECONDS) * _share("latency", key, attempt)


def _share(purpose: str, key: str, attempt: int) -> float:
    digest = hashlib.sha256(f"{purpose}:{key}:{attempt}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
