"""
What goes wrong, and how: requests by a hash of the idempotency key and the number of the request, webhooks by the key.

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

#: Webhooks that never leave, and those that leave twice.
LOST_SHARE = 0.08
DOUBLED_SHARE = 0.10

QUICKEST_DECISION_SECONDS = 0.1
SLOWEST_DECISION_SECONDS = 0.6


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
    return _between(SHORTEST_SECONDS, LONGEST_SECONDS, _share("latency", key, attempt))


def decision_seconds(key: str) -> float:
    """Return how long the bank thinks about a charge."""
    return _between(QUICKEST_DECISION_SECONDS, SLOWEST_DECISION_SECONDS, _share("decision", key))


def deliveries_of(key: str) -> int:
    """Return how often the webhook about a charge is delivered: 0, 1 or 2 times."""
    share = _share("webhook", key)
    if share < LOST_SHARE:
        return 0
    return 2 if share < LOST_SHARE + DOUBLED_SHARE else 1


def _between(lowest: float, highest: float, share: float) -> float:
    return lowest + (highest - lowest) * share


def _share(purpose: str, key: str, attempt: int = 1) -> float:
    digest = hashlib.sha256(f"{purpose}:{key}:{attempt}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
