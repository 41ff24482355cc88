"""Which carrier goes where."""

from __future__ import annotations

from example_project.shop.models import Order
from example_project.shop.refusals import CannotShip

#: ISO 3166 has codes of two letters.
COUNTRY_LETTERS = 2
HOME = {"DE", "AT", "CH"}
#: Antarctica, the Bouvet Island: nobody delivers there.
OUT_OF_REACH = {"AQ", "BV"}


def carrier_for(order: Order) -> str:
    """
    Return the carrier for the order's country.

    Raises CannotShip if there is none, and ValueError for what is no country: a mistake of the shop, not an answer of
    the business. Whoever mends the address resumes the checkout, which goes on from here.
    """
    if len(order.country) != COUNTRY_LETTERS:
        message = f"{order.country!r} is no country. Mend the address of order {order.number}, and resume its checkout."
        raise ValueError(message)
    if order.country in OUT_OF_REACH:
        message = f"No carrier goes to {order.country}."
        raise CannotShip(message)
    return "Parcel Post" if order.country in HOME else "World Express"
