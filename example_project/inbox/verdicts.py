"""Verdicts: what a person says to a proposal."""

from __future__ import annotations

from dataclasses import dataclass

from durable_django import send
from example_project.inbox.models import Letter


@dataclass(frozen=True)
class Verdict:
    """Whether a proposal is to be carried out, who says so, and why."""

    is_approved: bool
    by: str
    note: str = ""


def send_verdict(letter: Letter, verdict: Verdict) -> None:
    """
    Send a verdict to the workflow that waits for it, in the caller's transaction.

    There is one verdict for each letter: of two people who decide at the same time the first one counts, since both
    messages have the same key. Raises WorkflowFinished if the letter is closed, because its time is over.
    """
    send(letter.workflow_id, verdict, topic="verdict", idempotency_key="verdict")
