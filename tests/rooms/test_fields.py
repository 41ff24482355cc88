"""models/fields.py: ids compared byte by byte, and literals for partial indexes."""

from unittest import skipUnless

from django.db import connection
from django.test import SimpleTestCase, TestCase

from durable_django.models import Worker
from durable_django.models.fields import EmptyText, IdField, Literal

NAMES = ("a", "B", "b", "A", "é", "e\u0301", "ß", "ss", "1", "10", "2", "-", "_", " x", "x ", "日", "😀")


class AnId(TestCase):
    def setUp(self):
        Worker.objects.bulk_create(
            Worker(id=name, hostname="h", pid=0, lease_expires_at="2026-01-01T00:00Z") for name in NAMES
        )

    def test_is_ordered_byte_by_byte(self):
        """The same on both databases, whatever the locale."""
        found = list(Worker.objects.order_by("pk").values_list("pk", flat=True))

        self.assertEqual(sorted(NAMES, key=str.encode), found)

    def test_is_equal_to_itself_only(self):
        """Case, accents in two spellings and blanks at the end make a difference."""
        for name in NAMES:
            with self.subTest(name=name):
                self.assertEqual([name], list(Worker.objects.filter(pk=name).values_list("pk", flat=True)))

    @skipUnless(connection.vendor == "postgresql", "SQLite makes no such indexes")
    def test_has_one_index(self):
        """No second, `_like` one, neither on the key nor on foreign keys to it."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT indexname FROM pg_indexes"
                " WHERE tablename IN ('durable_django_workflow', 'durable_django_step', 'durable_django_worker')"
            )
            names = [name for (name,) in cursor.fetchall()]

        self.assertTrue(names)
        self.assertEqual([], [name for name in names if name.endswith("_like")])

    def test_has_255_characters_unless_said_otherwise(self):
        """The limit of a workflow id."""
        self.assertEqual((255, 64), (IdField().max_length, IdField(max_length=64).max_length))


class TheEmptyText(SimpleTestCase):
    databases = {"default"}

    def test_is_part_of_the_text(self):
        """No parameter: a plan for any value has no partial index."""
        self.assertEqual(("''", []), EmptyText().as_sql(None, connection))


class ALiteral(SimpleTestCase):
    databases = {"default"}

    def test_is_part_of_the_text(self):
        """No parameter: SQLite proves conditions from the text."""
        self.assertEqual(("'queued'", []), Literal("queued").as_sql(None, connection))
        self.assertEqual(("3", []), Literal(3).as_sql(None, connection))

    def test_cannot_carry_sql(self):
        """Only plain words and whole numbers."""
        for value in ("it's", "a b", "'", "", "x;--", "%s"):
            with self.subTest(value=value), self.assertRaisesMessage(ValueError, "Only whole numbers and plain words"):
                Literal(value)
