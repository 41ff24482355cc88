"""models/compiled.py: statements that are compiled once, and prepared in the server on PostgreSQL."""

from unittest import skipUnless

from django.db import DatabaseError, connection, transaction
from django.test import TestCase, TransactionTestCase

from durable_django.models import compiled
from tests.sample.models import Mark

INSERT = compiled.Statement(lambda _alias: compiled.insert_query(Mark, compiled.slots(Mark, "label")))


def insert(count: int, label: str = "x") -> None:
    for _ in range(count):
        INSERT.execute("default", {"label": label})


class AStatement(TestCase):
    def test_answers_with_the_number_of_rows(self):
        """One INSERT touches one row."""
        touched = INSERT.execute("default", {"label": "one"})

        self.assertEqual(1, touched)

    def test_is_compiled_once(self):
        """The ORM query is built at the first execution only."""
        builds = []

        def build(_alias):
            builds.append(1)
            return compiled.insert_query(Mark, compiled.slots(Mark, "label"))

        statement = compiled.Statement(build)
        for label in "abc":
            statement.execute("default", {"label": label})

        self.assertEqual(1, len(builds))
        self.assertEqual(["a", "b", "c"], list(Mark.objects.order_by("pk").values_list("label", flat=True)))

    def test_is_seen_by_query_logs(self):
        """A prepared statement is counted like any other."""
        with self.assertNumQueries(7):
            insert(7)


@skipUnless(connection.vendor == "postgresql", "SQLite keeps prepared statements by itself")
class OnPostgreSQL(TransactionTestCase):
    def setUp(self):
        connection.close()
        self.addCleanup(compiled._shared_sessions.clear)
        self.addCleanup(connection.close)

    def prepared(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM pg_prepared_statements WHERE statement LIKE 'INSERT INTO %mark%'")
            return cursor.fetchone()[0]

    def exchange_session(self) -> None:
        """Take the prepared statements away without the driver's knowledge, as a transaction pool does."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM pg_prepared_statements")
            for (name,) in cursor.fetchall():
                cursor.execute(f'DEALLOCATE "{name}"')

    def test_it_is_prepared_after_some_executions(self):
        """From the sixth execution in one session on it is no longer parsed and planned."""
        insert(6)

        self.assertEqual(1, self.prepared())

    def test_nothing_is_prepared_where_sessions_are_shared(self):
        """DISABLE_SERVER_SIDE_CURSORS, which Django asks for behind a transaction pool, turns it off."""
        self.addCleanup(connection.settings_dict.__setitem__, "DISABLE_SERVER_SIDE_CURSORS", False)
        connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] = True

        insert(6)

        self.assertEqual(0, self.prepared())

    def test_a_session_that_was_exchanged_is_noticed(self):
        """If the prepared statement is gone, it is executed unprepared, now and from then on."""
        insert(6)
        self.exchange_session()

        insert(7, "after")

        self.assertEqual(7, Mark.objects.filter(label="after").count())
        self.assertEqual(0, self.prepared())

    def test_inside_a_transaction_the_error_is_raised_once(self):
        """What was done in the transaction is lost, so its owner has to repeat it; then it works."""
        insert(6)
        self.exchange_session()

        with self.assertRaises(DatabaseError), transaction.atomic():
            insert(1, "lost")
        with transaction.atomic():
            insert(1, "kept")

        self.assertEqual(["kept"], list(Mark.objects.exclude(label="x").values_list("label", flat=True)))
