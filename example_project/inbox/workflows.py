"""
What happens to a letter: the assistant proposes, a person decides, the workflow carries it out.

For up to a week nothing happens here at all, and that costs one row. Workers may be restarted and replaced meanwhile.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from django.core.mail import EmailMessage

from durable_django import Retry, receive, set_event, step, workflow
from example_project.inbox import assistant
from example_project.inbox.assistant import Proposal
from example_project.inbox.models import Letter
from example_project.inbox.verdicts import Verdict

DECISION_TIME = timedelta(days=7)
#: Errors of smtplib and of the network are all OSErrors.
MAIL_RETRY = Retry(max_attempts=20, base_seconds=1, factor=2, max_seconds=600, retry_on=(OSError,))

State = Letter.State


@workflow
def answer_letter(letter_id: int) -> str:
    """Answer a letter as the assistant proposes, if a person approves of it in time. Return the state of the letter."""
    proposal = propose(letter_id)
    set_event("proposal", proposal)
    verdict = receive("verdict", timeout=DECISION_TIME, default=None)
    if verdict is None:
        return close(letter_id, State.EXPIRED)
    if not verdict.is_approved:
        return close(letter_id, State.REJECTED, verdict)
    state = close(letter_id, State.ANSWERED, verdict, proposal.credit)
    send_answer(letter_id, proposal.answer)
    return state


@step
def propose(letter_id: int) -> Proposal:
    """Ask the assistant. Recorded: what a person approves of is carried out, whatever it would say next time."""
    return assistant.read(Letter.objects.get(pk=letter_id).text)


@step(atomic=True)
def close(letter_id: int, state: str, verdict: Verdict | None = None, credit: Decimal = Decimal(0)) -> str:
    """Grant the credit, and keep who decided what; once, together with the checkpoint. Return the state."""
    letter = Letter.objects.get(pk=letter_id)
    if verdict is None:
        letter.close(state)
    else:
        letter.close(state, credit=credit, decided_by=verdict.by, note=verdict.note)
    return str(state)


@step(retry=MAIL_RETRY)
def send_answer(letter_id: int, answer: str) -> None:
    """Send the answer. If the worker dies before this is recorded, a copy leaves, with the same Message-ID."""
    letter = Letter.objects.get(pk=letter_id)
    EmailMessage(
        subject=f"Re: {letter.subject}",
        body=f"Dear {letter.customer},\n\n{answer}\n",
        to=[letter.email],
        headers={"Message-ID": f"<answer.{letter.message_id}>", "In-Reply-To": f"<{letter.message_id}>"},
    ).send()
