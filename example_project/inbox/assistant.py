"""
The assistant. It stands for a language model: slow, elsewhere, eager to please, and not to be trusted with money.

What it does here is made up of three rules. That one of them does whatever a letter asks for is the point: somebody
has to read its proposals.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

_ASKED_FOR = re.compile(r"(\d+(?:\.\d\d)?) (?:euros|EUR)")
_DAMAGE = re.compile(r"\b(broken|cracked|scratched|damaged)\b")


@dataclass(frozen=True)
class Proposal:
    """
    What to do about a letter.

    credit  euros to grant the customer, 0 for none
    answer  what to write
    why     what the assistant has made of the letter
    """

    credit: Decimal
    answer: str
    why: str


def read(text: str) -> Proposal:
    """Return what the assistant would do about a letter."""
    if asked := _ASKED_FOR.search(text):
        credit = Decimal(asked[1])
        return Proposal(credit, f"We have granted you {credit} EUR, as you asked.", "The customer asks for money.")
    if damage := _DAMAGE.search(text):
        answer = "We are sorry about that. Please keep it; we have granted you 10 EUR."
        return Proposal(Decimal(10), answer, f"Something arrived {damage[1]}.")
    return Proposal(Decimal(0), "Thank you for writing to us. We have passed it on.", "Nothing has to be done.")
