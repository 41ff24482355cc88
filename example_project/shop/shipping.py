"""Which carrier goes where."""

from __future__ import annotations

from example_project.shop.models import Order
from example_project.shop.refusals import CannotShip

HOME = {"DE", "AT", "CH"}
#: Antarctica, the Bouvet Island: nobody delivers there.
OUT_OF_REACH = {"AQ", "BV"}


def carrier_for(order: Order) -> str:
    """
    Return the carrier for the order's country.

    Raises CannotShip if there is none.
    """
    if order.country in OUT_OF_REACH:
        message = f"No carrier goes to {order.country}."
        raise CannotShip(message)
    return "Parcel Post" if order.country in HOME else "World Express"
