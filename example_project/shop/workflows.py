"""
The checkout of an order, written as if nothing could go wrong in between.

If the process dies anywhere in here, another worker calls `checkout` again: steps that were recorded answer from
their rows, and the work goes on where it stopped. While it waits for the payment no process has it in hand at all.
"""

from __future__ import annotations

from durable_django import Retry, current_step, receive, set_event, step, workflow, write_stream
from durable_django.exceptions import RetriesExhausted
from example_project.shop import mails, payments, shipping
from example_project.shop.calls import ProviderUnavailable
from example_project.shop.models import Order, Reservation, Shipment
from example_project.shop.refusals import CardDeclined, PaymentUndecided, Refusal

#: How long to wait for the provider's word before asking for it, in seconds. A real shop has minutes.
PATIENCE_SECONDS = 3
#: How often to ask a provider that only says "pending".
LOOKS = 5
#: A customer waits for the charge: six calls within some ten seconds.
CHARGE_RETRY = Retry(max_attempts=6, base_seconds=0.3, factor=3, max_seconds=3, retry_on=(ProviderUnavailable,))
#: Nobody waits for a refund, but it must be made: for as long as a provider may be down.
REFUND_RETRY = Retry(max_attempts=50, base_seconds=0.3, factor=2, max_seconds=600, retry_on=(ProviderUnavailable,))
#: Errors of smtplib and of the network are all OSErrors.
MAIL_RETRY = Retry(max_attempts=20, base_seconds=1, factor=2, max_seconds=600, retry_on=(OSError,))


@workflow
def checkout(number: str) -> str:
    """
    Reserve, charge, ship and confirm an order; undo it all if one of these cannot be done. Return its state.

    What the business refuses is undone. After an outage that outlasts the retries it is undone too, and the workflow
    fails, so that somebody looks. Any other error is a mistake in the code: the workflow fails where it stands, and
    goes on from there when the mistake is mended and somebody resumes it.
    """
    try:
        reserve_stock(number)
        tell("The goods are set aside.")
        charge_id = charge_card(number)
        tell("The bank decides about the payment.")
        await_payment(charge_id)
        tell("The order is paid.")
        create_shipment(number, charge_id)
        tell("The parcel is on its way.")
    except Refusal as refusal:
        return undo(number, reason=str(refusal))
    except RetriesExhausted:
        undo(number, reason="The payment provider did not answer.")
        raise
    send_confirmation(number)
    tell("The customer knows.")
    return Order.State.PAID.value


def await_payment(charge_id: str) -> None:
    """
    Wait for the provider's word about a charge; ask for it when none has come in time.

    Not a step, since only a workflow can wait. It costs a row meanwhile: no thread, no connection. A word that comes
    before it is waited for, or while no worker runs, waits in the mailbox of the workflow.
    Raises CardDeclined, PaymentUndecided.
    """
    for _ in range(LOOKS):
        state = receive("payment", timeout=PATIENCE_SECONDS, default=None) or look_up_charge(charge_id)
        if state == "succeeded":
            return
        if state == "declined":
            raise CardDeclined("The card was declined.")
    raise PaymentUndecided("The bank did not decide about the payment in time.")


def tell(news: str) -> None:
    """
    Report progress: as an event, the latest news for whoever looks; in a stream, all of them for who follows.

    Both exactly once from a workflow, whatever dies in between.
    """
    set_event("progress", news)
    write_stream("progress", news)


def undo(number: str, *, reason: str) -> str:
    """Give money and goods back, in this order. Not a step: the two steps inside are recorded one by one."""
    tell(reason)
    is_refunded = refund(number)
    state = release_stock(number, is_refunded, reason)
    tell("The payment was given back." if is_refunded else "Nothing was charged.")
    return state


@step(atomic=True)
def reserve_stock(number: str) -> None:
    """Set the goods aside. Atomic: the rows and the checkpoint are committed together, exactly once."""
    order = Order.objects.select_related("product").get(number=number)
    order.product.take(order.quantity)
    Reservation.objects.create(order=order)


@step(retry=CHARGE_RETRY)
def charge_card(number: str) -> str:
    """
    Ask for the charge of the card and return its id.

    The provider is outside the database, so this may be called twice: after an answer that never came, or a crash
    before the checkpoint. The key is the same each time, and the provider takes the money once.
    """
    order = Order.objects.get(number=number)
    return payments.charge(
        order=order.number,
        amount=order.amount,
        currency=order.currency,
        card=order.card,
        idempotency_key=idempotency_key(),
    )


@step(retry=CHARGE_RETRY)
def look_up_charge(charge_id: str) -> str:
    """Ask what has become of a charge: a webhook can be lost, or the shop was not there when it came."""
    return payments.state_of(charge_id)


@step(atomic=True)
def create_shipment(number: str, charge_id: str) -> None:
    """Hand the parcel over and mark the order as paid, exactly once."""
    order = Order.objects.get(number=number)
    Shipment.objects.create(order=order, carrier=shipping.carrier_for(order))
    order.mark_paid(charge_id)


@step(retry=MAIL_RETRY)
def send_confirmation(number: str) -> None:
    """Send the confirmation. No database can see to it that an e-mail leaves once; a copy has the same Message-ID."""
    order = Order.objects.select_related("product").get(number=number)
    mails.confirmation(order, idempotency_key=idempotency_key()).send()


@step(retry=REFUND_RETRY)
def refund(number: str) -> bool:
    """
    Give back what was charged, if anything was. Return whether something was.

    Asked of the provider, not of this workflow: after answers that never came only the provider knows.
    """
    return bool(payments.refund(order=number, idempotency_key=idempotency_key()))


@step(atomic=True)
def release_stock(number: str, is_refunded: bool, reason: str) -> str:  # noqa: FBT001 - the value is stored, not a switch
    """Put the goods back, if they were set aside, and close the order. Return its state."""
    order = Order.objects.select_related("product").get(number=number)
    released, _ = Reservation.objects.filter(order=order).delete()
    if released:
        order.product.put_back(order.quantity)
    order.mark_undone(refunded=is_refunded, reason=reason)
    return str(order.state)


def idempotency_key() -> str:
    """
    Return the key of the running step: the same at every retry and recovery, another for every step.

    Raises RuntimeError when the step was called as an ordinary function, where nothing guards against doing it twice.
    """
    running = current_step()
    if running is None:
        message = "This step talks to others and needs its workflow's idempotency key. Call it from a workflow."
        raise RuntimeError(message)
    return running.idempotency_key
