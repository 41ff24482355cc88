"""
The provider's books: charges, refunds and mails in its own SQLite file, which the shop never sees.

Nothing here keeps an order from being charged twice under two idempotency keys. That is the shop's business, and
the demo counts it here.
"""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

SCHEMA = """
PRAGMA journal_mode=WAL;
PRAGMA synchronous=NORMAL;
CREATE TABLE IF NOT EXISTS charges (
    id INTEGER PRIMARY KEY,
    idempotency_key TEXT NOT NULL UNIQUE,
    order_number TEXT NOT NULL,
    amount_cents INTEGER NOT NULL,
    currency TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending'
);
CREATE TABLE IF NOT EXISTS refunds (
    id INTEGER PRIMARY KEY,
    order_number TEXT NOT NULL UNIQUE,
    amount_cents INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS requests (
    idempotency_key TEXT PRIMARY KEY,
    attempts INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS mails (
    id INTEGER PRIMARY KEY,
    idempotency_key TEXT NOT NULL UNIQUE,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    accepted_at REAL NOT NULL
);
CREATE VIEW IF NOT EXISTS taken AS SELECT * FROM charges WHERE state = 'succeeded';
"""


#: How many mails are taken in any window of so many seconds.
MOST_MAILS, MAIL_SECONDS = 20, 2.0

#: What becomes of a charge. Only a succeeded one has taken money.
PENDING, SUCCEEDED, DECLINED, CANCELLED = "pending", "succeeded", "declined", "cancelled"


class KeyReused(Exception):
    """An idempotency key came again with another order, amount or currency."""


class TooManyMails(Exception):
    """More mails came than are taken in a while."""


class OrderClosed(Exception):
    """The order was refunded or given up; no charge is taken for it any more."""


@dataclass(frozen=True)
class Sums:
    """What the books say in the end; amounts in cents."""

    charges: int
    charged_cents: int
    charged_twice: int
    refunds: int
    refunded_cents: int


class Ledger:
    """The books, shared by the threads of the server."""

    def __init__(self, path: Path | str) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False, timeout=20)
        self._connection.executescript(SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def count_request(self, key: str) -> int:
        """Return the number of this request among those with the same key, from 1."""
        with self._lock, self._connection:
            self._connection.execute(
                "INSERT INTO requests VALUES (?, 1)"
                " ON CONFLICT (idempotency_key) DO UPDATE SET attempts = attempts + 1",
                [key],
            )
            return self._number("SELECT attempts FROM requests WHERE idempotency_key = ?", key)

    def charge(self, key: str, order: str, amount_cents: int, currency: str) -> str:
        """
        Note a charge, or find that this key has noted it before. Return its id; settle() decides about it.

        Raises KeyReused if the key belongs to another charge, OrderClosed if the order was refunded or given up.
        """
        wanted = (order, amount_cents, currency)
        with self._lock, self._connection:
            row = self._find_charge(key)
            if row is None:
                self._require_open(order)
                self._connection.execute(
                    "INSERT INTO charges (idempotency_key, order_number, amount_cents, currency) VALUES (?, ?, ?, ?)",
                    [key, *wanted],
                )
                row = self._find_charge(key)
        if row is None or row[1:] != wanted:
            raise KeyReused(key)
        return f"ch_{row[0]}"

    def settle(self, charge_id: str, *, is_covered: bool) -> str:
        """Take the money, or decline, unless that is decided already. Return what became of the charge."""
        with self._lock, self._connection:
            self._connection.execute(
                "UPDATE charges SET state = ? WHERE id = ? AND state = ?",
                [SUCCEEDED if is_covered else DECLINED, _row_id(charge_id), PENDING],
            )
        return self.state_of(charge_id)

    def state_of(self, charge_id: str) -> str:
        """Return what has become of a charge. Raises LookupError if there is none with this id."""
        with self._lock:
            cursor = self._connection.execute("SELECT state FROM charges WHERE id = ?", [_row_id(charge_id)])
            row = cursor.fetchone()
        if row is None:
            raise LookupError(charge_id)
        return str(row[0])

    def refund(self, order: str) -> int:
        """
        Give back what was charged for an order and close it. Return the cents given back, 0 if there was no charge.

        A charge that is not decided yet is cancelled. A second refund finds the first one and returns the same.
        """
        with self._lock, self._connection:
            self._connection.execute(
                "UPDATE charges SET state = ? WHERE order_number = ? AND state = ?", [CANCELLED, order, PENDING]
            )
            charged = self._number("SELECT COALESCE(SUM(amount_cents), 0) FROM taken WHERE order_number = ?", order)
            self._connection.execute(
                "INSERT OR IGNORE INTO refunds (order_number, amount_cents) VALUES (?, ?)", [order, charged]
            )
            return self._number("SELECT amount_cents FROM refunds WHERE order_number = ?", order)

    def accept_mail(self, key: str, recipient: str, subject: str, now: float) -> str:
        """
        Take a mail to send it, or find that this key has brought it before. Return its id.

        Raises TooManyMails if MOST_MAILS were taken in the MAIL_SECONDS before `now`.
        """
        with self._lock, self._connection:
            if not self._number("SELECT COUNT(*) FROM mails WHERE idempotency_key = ?", key):
                lately = self._number("SELECT COUNT(*) FROM mails WHERE accepted_at > ?", now - MAIL_SECONDS)
                if lately >= MOST_MAILS:
                    raise TooManyMails(key)
                self._connection.execute(
                    "INSERT INTO mails (idempotency_key, recipient, subject, accepted_at) VALUES (?, ?, ?, ?)",
                    [key, recipient, subject, now],
                )
            number = self._number("SELECT id FROM mails WHERE idempotency_key = ?", key)
        return f"ml_{number}"

    def mails(self) -> list[tuple[str, str, float]]:
        """Return recipient, subject and moment of each mail that was taken, in order."""
        with self._lock:
            return list(self._connection.execute("SELECT recipient, subject, accepted_at FROM mails ORDER BY id"))

    def charged_orders(self) -> set[str]:
        """Return the numbers of all orders for which a charge was ever noted."""
        with self._lock:
            return {number for (number,) in self._connection.execute("SELECT DISTINCT order_number FROM charges")}

    def sums(self) -> Sums:
        """Add up the books."""
        with self._lock:
            return Sums(
                charges=self._number("SELECT COUNT(*) FROM taken"),
                charged_cents=self._number("SELECT COALESCE(SUM(amount_cents), 0) FROM taken"),
                charged_twice=self._number("SELECT COUNT(*) - COUNT(DISTINCT order_number) FROM taken"),
                refunds=self._number("SELECT COUNT(*) FROM refunds WHERE amount_cents > 0"),
                refunded_cents=self._number("SELECT COALESCE(SUM(amount_cents), 0) FROM refunds"),
            )

    def _require_open(self, order: str) -> None:
        if self._number("SELECT COUNT(*) FROM refunds WHERE order_number = ?", order):
            raise OrderClosed(order)

    def _find_charge(self, key: str) -> tuple[int, str, int, str] | None:
        cursor = self._connection.execute(
            "SELECT id, order_number, amount_cents, currency FROM charges WHERE idempotency_key = ?", [key]
        )
        row: tuple[int, str, int, str] | None = cursor.fetchone()
        return row

    def _number(self, query: str, *values: str | float) -> int:
        (number,) = self._connection.execute(query, values).fetchone()
        return int(number)


def _row_id(charge_id: str) -> str:
    return charge_id.removeprefix("ch_")
