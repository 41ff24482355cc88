"""Answers of the business that no retry changes: no goods, no money, no way there."""

from __future__ import annotations


class Refusal(Exception):
    """Base class: the order cannot be carried out. The text is shown to people."""


class OutOfStock(Refusal):
    """Fewer units are free than were ordered."""


class CardDeclined(Refusal):
    """The bank says no."""


class PaymentUndecided(Refusal):
    """The bank has said neither yes nor no, for too long."""


class CannotShip(Refusal):
    """No carrier goes to the address."""
