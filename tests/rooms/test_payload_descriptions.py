"""base/payloads/describing.py: stored values for people, without making them."""

import dataclasses
import datetime as dt
import decimal
import enum
import pathlib
import uuid
import zoneinfo

from django.test import SimpleTestCase, TestCase

from durable_django.base import payloads
from tests.sample.models import Mark


class Colour(enum.Enum):
    RED = "red"


class Access(enum.Flag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass
class Price:
    amount: decimal.Decimal
    currency: str = "EUR"


def described(value, **options):
    return payloads.describe_value(payloads.encode(value), **options)


class EachKindOfValue(SimpleTestCase):
    def test_looks_as_python_writes_it(self):
        """What one would type to make it, as far as that is short."""
        for value, text in (
            (None, "None"),
            (True, "True"),
            (7, "7"),
            (2**2100, hex(2**2100)),
            (1.5, "1.5"),
            (float("-inf"), "-inf"),
            ("ä'\n", '"ä\'\\n"'),
            ("\ud800" + "\udc00", "'\\ud800\\udc00'"),
            ([1, "a"], "[1, 'a']"),
            ({"a": [1], 2: None}, "{'a': [1], 2: None}"),
            ((), "()"),
            ((1,), "(1,)"),
            ((1, 2), "(1, 2)"),
            (set(), "set()"),
            ({1}, "{1}"),
            (frozenset({1}), "frozenset({1})"),
            (decimal.Decimal("1.50"), "Decimal('1.50')"),
            (uuid.UUID(int=1), "UUID('00000000-0000-0000-0000-000000000001')"),
            (b"ab", "bytes('YWI=')"),
            (pathlib.PurePosixPath("/a"), "PurePosixPath('/a')"),
            (dt.date(2026, 12, 24), "date('2026-12-24')"),
            (dt.datetime.fromisoformat("2026-12-24T18:00:00"), "datetime('2026-12-24T18:00:00')"),
            (
                dt.datetime(2026, 12, 24, 18, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
                "datetime('2026-12-24T18:00:00', 'Europe/Berlin')",
            ),
            (dt.timedelta(days=1, seconds=2), "timedelta(days=1, seconds=2)"),
            (dt.timedelta(), "timedelta(0)"),
            (Colour.RED, "Colour.RED"),
            (Access.READ | Access.WRITE, "Access(3)"),
            (Price(decimal.Decimal(1)), "Price(amount=Decimal('1'), currency='EUR')"),
            (ValueError("no", 1), "ValueError('no', 1)"),
        ):
            self.assertEqual(text, described(value))

    def test_is_shown_though_its_class_is_gone(self):
        """An enum whose module is not loaded cannot be read, but it can be shown."""
        stored = '{"$py": "enum", "v": ["shop.gone:Size", "LARGE"]}'

        self.assertEqual("Size.LARGE", payloads.describe_value(stored))


class AModelInstance(TestCase):
    def test_is_named_and_not_read(self):
        """No query, and no error if the row is gone."""
        mark = Mark.objects.create(label="x")
        stored = payloads.encode([mark])
        Mark.objects.all().delete()

        with self.assertNumQueries(0):
            text = payloads.describe_value(stored)

        self.assertEqual(f"[<sample.Mark {mark.pk}>]", text)


class ACall(SimpleTestCase):
    def test_looks_as_it_was_written(self):
        """Positional arguments, then keywords; other languages may leave one of them out."""
        stored = payloads.encode_call((7, "a"), {"express": True})

        self.assertEqual("(7, 'a', express=True)", payloads.describe_call(stored))
        self.assertEqual("(7)", payloads.describe_call("[7]"))
        self.assertEqual("()", payloads.describe_call("{}"))
        self.assertEqual("(a=(1,))", payloads.describe_call('{"kwargs": {"a": {"$py": "tuple", "v": [1]}}}'))
        self.assertEqual("($py=1)", payloads.describe_call(payloads.encode_call((), {"$py": 1})))


class LongValues(SimpleTestCase):
    def test_are_shortened(self):
        """At their end."""
        self.assertEqual("'aaaaaaaa…", described("a" * 100, longest=10))

    def test_take_several_lines_if_there_is_a_width(self):
        """What fits stays on one line."""
        text = described({"a": [1, 2], "b": ["x" * 20, (1,)]}, width=30)

        self.assertEqual(f"{{\n    'a': [1, 2],\n    'b': [\n        '{'x' * 20}',\n        (1,),\n    ],\n}}", text)

    def test_are_cut_in_depth(self):
        """A thousand levels end in three dots."""
        text = payloads.describe_value("[" * 900 + "]" * 900)

        self.assertIn("...", text)
        self.assertLess(len(text), 100)


class WhatCannotBeRead(SimpleTestCase):
    def test_is_told_and_never_raised(self):
        """Whatever stands in the row."""
        for stored in (
            "",
            "{",
            "nan",
            "NaN",
            "[" * 100_000 + "]" * 100_000,
            '{"$py": "unheard", "v": 1}',
            '{"$py": ["a"], "v": 1}',
            '{"$py": "enum", "v": 1}',
            '{"$py": "tuple", "v": 1}',
            '{"$py": "tuple", "v": [1], "w": 2}',
            '{"$py": "dict", "v": [[1]]}',
            '{"$py": "exception", "v": {"type": 1}}',
            '{"$py": "dataclass", "v": ["a:B", 7]}',
            '{"$py": "model", "v": []}',
            '{"$py": "timedelta", "v": [1]}',
            b"\xff",
        ):
            self.assertIn("(unreadable: ", payloads.describe_value(stored), stored[:50])
            self.assertIn("(unreadable: ", payloads.describe_call(stored), stored[:50])
        for stored in ('"text"', '{"args": 5}', '{"kwargs": []}', '{"x": 1}'):
            self.assertIn("(unreadable: ", payloads.describe_call(stored), stored)

    def test_of_nothing_is_nothing(self):
        """NULL is no value."""
        self.assertIsNone(payloads.describe_value(None))
        self.assertIsNone(payloads.describe_error_line(None))
