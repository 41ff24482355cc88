"""Every claim from a queue, and every change of its limits, in the order in which the database did them."""

from __future__ import annotations

from collections import Counter

from django.db import connection, connections

from tests.sample.models import Mark

_QUEUE = "durable_django_queue"
_WORKFLOW = "durable_django_workflow"


def _changed(*columns: str) -> str:
    is_other = "IS NOT" if connection.vendor == "sqlite" else "IS DISTINCT FROM"
    return "(" + " OR ".join(f"NEW.{column} {is_other} OLD.{column}" for column in columns) + ")"


class ClaimHistory:
    """
    Triggers that note in the transaction itself what it does. A claim and a change hold the lock of the queue's row.

    So that the order of the notes is that of what they tell; only a slot that is given back may be noted a little
    before others see it.
    """

    def __init__(self, queue: str) -> None:
        self._triggers = {
            "note_limit": (
                _QUEUE,
                f"NEW.name = '{queue}' AND {_changed('concurrency', 'partition_concurrency')}",
                "'limit:' || coalesce(NEW.concurrency, 999) || ':' || coalesce(NEW.partition_concurrency, 999)",
            ),
            "note_claim": (
                _WORKFLOW,
                f"NEW.queue = '{queue}' AND OLD.worker IS NULL AND NEW.worker IS NOT NULL",
                "'claim:' || coalesce(NEW.partition_key, '')",
            ),
            "note_end": (
                _WORKFLOW,
                f"NEW.queue = '{queue}' AND OLD.worker IS NOT NULL AND NEW.worker IS NULL",
                "'end:' || coalesce(NEW.partition_key, '')",
            ),
        }

    def begin(self) -> None:
        """Note from now on."""
        for name, (table, condition, label) in self._triggers.items():
            note = f"INSERT INTO {Mark._meta.db_table} (label) VALUES ({label})"
            if connection.vendor == "postgresql":
                _execute(
                    f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {note}; RETURN NULL; END $$"
                )
                _execute(
                    f"CREATE TRIGGER {name} AFTER UPDATE ON {table} FOR EACH ROW WHEN ({condition}) "
                    f"EXECUTE FUNCTION {name}()"
                )
            else:
                _execute(f"CREATE TRIGGER {name} AFTER UPDATE ON {table} WHEN {condition} BEGIN {note}; END")

    def end(self) -> None:
        """Note nothing more."""
        for name, (table, *_rest) in self._triggers.items():
            if connection.vendor == "postgresql":
                _execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")
                _execute(f"DROP FUNCTION IF EXISTS {name}()")
            else:
                _execute(f"DROP TRIGGER IF EXISTS {name}")
        connections.close_all()

    def limits(self) -> list[int]:
        """Return the limits of the queue, as they followed each other."""
        return [int(facts[0]) for what, *facts in self._notes() if what == "limit"]

    def exceeding(self) -> list[str]:
        """Return the claims that the limits of their moment did not allow, each with what was held by then."""
        most, most_of_each = 0, 0
        held: Counter[str] = Counter()
        found = []
        for number, (what, *facts) in enumerate(self._notes()):
            if what == "limit":
                most, most_of_each = map(int, facts)
                continue
            held[facts[0]] += 1 if what == "claim" else -1
            if what == "claim" and (held.total() > most or held[facts[0]] > most_of_each):
                found.append(f"{number}: {held.total()} of {most}, {facts[0]!r} {held[facts[0]]} of {most_of_each}")
        return found

    def _notes(self) -> list[list[str]]:
        rows = Mark.objects.filter(label__regex="^(limit|claim|end):").order_by("pk")
        return [label.split(":") for label in rows.values_list("label", flat=True)]


def _execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
