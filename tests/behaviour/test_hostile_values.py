"""Values that databases, JSON and Python treat unlike each other: the same as argument, result and error, on both."""

import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PurePosixPath
from uuid import UUID

from django.test import TestCase, override_settings

from durable_django import NotSerializable, PayloadTooLarge
from durable_django.models import Workflow
from durable_django.testing import run_until_idle
from tests.behaviour.support import acting, row
from tests.sample.models import Mark, Unique
from tests.sample.promises import acts, echoes, fails, takes_order, tell
from tests.sample.workflows import mark

HOSTILE = (
    "\0", "a\0b", "\ud800", "\udcff", "\u2028", "\x1b[31m", "😀" * 100, "\\u0000", "'; DROP TABLE --", "%s %(x)s {0}",
    float("inf"), float("-inf"), -0.0, 1e16, 5e-324, 2**70, -(2**64), 10**400, True, False, None, 1, 1.0, "1",
    b"\0\xff", Decimal("1.10"), Decimal("NaN"), Decimal("1E+400"), UUID(int=7), date(2026, 3, 29), time(2, 30),
    datetime(2026, 3, 29, 2, 30), datetime(9999, 12, 31, tzinfo=UTC), timedelta(microseconds=-1), PurePosixPath("/a b"),
    (), [], {}, set(), frozenset({1}), (1, [2, (3,)]), {1: "int", "1": "str", (1, 2): "tuple", None: "none"},
    {"$py": "tuple", "v": []}, {"bbb": 1, "a": 2, "cc": 3}, [[]] * 3, "ǅ", "e\u0301", "é",
)  # fmt: skip


def nested(levels):
    """Return a list in a list in a list..."""
    value = []
    for _ in range(levels - 1):
        value = [value]
    return value


class AHostileValue(TestCase):
    def assert_same(self, value, found):
        self.assertEqual(repr(value), repr(found))
        self.assertIs(type(value), type(found))

    def test_comes_back_as_it_went(self):
        """As argument, step result and workflow result, at the first run and at a replay; H1 to H6."""
        handles = [echoes.start(value) for value in HOSTILE]
        run_until_idle()
        first = [handle.result() for handle in handles]
        Workflow.objects.update(status="queued", finished_at=None, output=None)
        run_until_idle()

        for value, at_first, handle in zip(HOSTILE, first, handles, strict=True):
            with self.subTest(value=value):
                self.assert_same(value, at_first)
                self.assert_same(value, handle.refresh().result())
                self.assertEqual(2, handle.workflow.attempt)

    def test_comes_back_as_the_argument_of_an_error(self):
        """Failing can always be recorded."""
        handles = [fails.start(ValueError("x", value)) for value in HOSTILE]
        run_until_idle()

        for value, handle in zip(HOSTILE, handles, strict=True):
            with self.subTest(value=value):
                with self.assertRaises(ValueError) as caught:
                    handle.result()
                self.assert_same(value, caught.exception.args[1])

    def test_of_nan_is_nan(self):
        """It is not equal to itself, but is NaN again; H2."""
        handle = echoes.start([math.nan, {"a": -math.nan}])

        run_until_idle()

        first, second = handle.result()
        self.assertTrue(math.isnan(first) and math.isnan(second["a"]))

    def test_keeps_the_order_of_keys(self):
        """Dicts come back in the order in which they were written; H5."""
        handle = echoes.start({"bbb": 1, "a": 2, "cc": 3})

        run_until_idle()

        self.assertEqual(["bbb", "a", "cc"], list(handle.result()))


class AnErrorText(TestCase):
    def test_may_hold_anything(self):
        """NUL, surrogates and control characters stay in the message."""
        for text in ("\0", "\ud800", "\x1b[2J", "a\nb", "😀"):
            with self.subTest(text=text):
                handle = fails.start(LookupError(text))
                run_until_idle()
                with self.assertRaises(LookupError) as caught:
                    handle.result()
                self.assertEqual((text,), caught.exception.args)

    def test_is_cut_when_it_is_huge(self):
        """A 5 MB message is stored in MAX_ERROR_BYTES, both ends readable."""
        with acting(lambda: (_ for _ in ()).throw(LookupError("start" + "x" * 5_000_000 + "end"))):
            handle = acts.start()
            run_until_idle()

        self.assertLess(len(row(handle).error), 70_000)
        with self.assertRaisesMessage(LookupError, "start"):
            handle.result()

    def test_of_a_deep_value_is_readable(self):
        """An error whose argument is nested a thousand deep is recorded with a word instead of it."""
        with acting(lambda: (_ for _ in ()).throw(LookupError("deep", nested(1000)))):
            handle = acts.start()
            run_until_idle()

        with self.assertRaises(LookupError) as caught:
            handle.result()
        self.assertEqual("deep", caught.exception.args[0])


class AValueThatIsTooLarge(TestCase):
    def test_is_refused_as_an_argument(self):
        """5 MB: PayloadTooLarge names the setting and both figures; nothing is written; H12."""
        with self.assertRaises(PayloadTooLarge) as caught:
            echoes.start("x" * 5_000_000)

        self.assertIn("DURABLE_DJANGO['MAX_PAYLOAD_BYTES'] allows 1048576", str(caught.exception))
        self.assertIsInstance(caught.exception, ValueError)
        self.assertFalse(Workflow.objects.exists())

    def test_fails_the_step_as_a_result(self):
        """The step's own error, recorded once."""
        with acting(lambda: ["x" * 5_000_000]):
            handle = acts.start()
            run_until_idle()

        with self.assertRaisesMessage(PayloadTooLarge, "MAX_PAYLOAD_BYTES"):
            handle.result()

    def test_is_fine_up_to_the_limit(self):
        """The limit is on the encoded text, and a setting."""
        with override_settings(DURABLE_DJANGO={"MAX_PAYLOAD_BYTES": 10_000_000}):
            handle = echoes.start("x" * 5_000_000)
            run_until_idle()
            self.assertEqual(5_000_000, len(handle.result()))

        handle = echoes.start("x" * 1_000_000)
        run_until_idle()
        self.assertEqual(1_000_000, len(handle.result()))


class AValueThatIsTooDeep(TestCase):
    def test_is_refused_as_an_argument(self):
        """A thousand levels: PayloadTooLarge names MAX_DEPTH, not a RecursionError; H15."""
        with self.assertRaisesMessage(PayloadTooLarge, "DURABLE_DJANGO['MAX_DEPTH'] allows 200"):
            echoes.start(nested(1000))

        self.assertFalse(Workflow.objects.exists())

    def test_fails_the_step_as_a_result(self):
        """The step's own error."""
        with acting(lambda: nested(1000)):
            handle = acts.start()
            run_until_idle()

        with self.assertRaisesMessage(PayloadTooLarge, "MAX_DEPTH"):
            handle.result()

    def test_is_fine_below_the_limit(self):
        """150 levels come back."""
        handle = echoes.start(nested(150))

        run_until_idle()

        self.assertEqual(nested(150), handle.result())


class AValueThatCannotBeStored(TestCase):
    def test_is_refused_with_its_path_and_advice(self):
        """Functions, files, classes, querysets and instances of unknown classes; H7."""
        for value, words in (
            (lambda: 1, "argument 1 cannot be stored"),
            ({"a": [1, object()]}, 'argument 1["a"][1] cannot be stored'),
            (Mark.objects.all(), "values_list('pk', flat=True)"),
            (Unique(label="unsaved"), "save"),
            (int, "argument 1 cannot be stored"),
        ):
            with self.subTest(words=words), self.assertRaises(NotSerializable) as caught:
                echoes.start(value)
            self.assertIn(words, str(caught.exception))
            self.assertIsInstance(caught.exception, TypeError)
        self.assertFalse(Workflow.objects.exists())

    def test_is_named_by_its_parameter(self):
        """An argument given by keyword-only parameter is called by its name."""
        with self.assertRaisesMessage(NotSerializable, "argument 'urgent'"):
            takes_order.start(7, urgent=object())


class AModelInstance(TestCase):
    def test_is_stored_by_reference(self):
        """The row is read when it is used: the workflow sees it as it is then."""
        unique = Unique.objects.create(label="before")
        handle = echoes.start(unique)
        Unique.objects.update(label="after")

        run_until_idle()

        self.assertEqual(unique, handle.result())
        self.assertEqual("after", handle.result().label)
        self.assertNotIn("before", row(handle).arguments)

    def test_that_is_gone_pauses_the_workflow(self):
        """The arguments cannot be read: the reason names the row."""
        unique = Unique.objects.create(label="x")
        handle = echoes.start(unique)
        Unique.objects.all().delete()

        run_until_idle()

        self.assertEqual("paused", row(handle).status)
        self.assertIn("sample.unique", row(handle).reason.lower())


class RowsByOtherHands(TestCase):
    def test_with_an_id_that_cannot_be_chosen_stand_in_nobodys_way(self):
        """A blank id, or one with a control character, written by SQL: its workflow runs or is parked; A23."""
        other = takes_order.start(1)
        template = Workflow.objects.get()
        for name in ("", " ", "a\nb", "\t"):
            template.pk = name
            template.save(force_insert=True)

        run_until_idle()

        self.assertEqual("1  False", other.refresh().result())
        self.assertFalse(Workflow.objects.running().exists())
        self.assertEqual(5, Workflow.objects.finished().count())


class TheLabelOfAMark(TestCase):
    def test_shows_that_steps_take_any_argument(self):
        """Arguments of steps are not stored: whatever can be called with can be passed."""
        seen = []
        with acting(lambda: tell(seen.append) and mark("x")):
            self.assertEqual("x", acts())
