"""Bad input to starts: refused at the call that gives it, with what happened, which value, and what to do."""

import json
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

from django.test import TestCase, override_settings
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as HypothesisTestCase

from durable_django import (
    NotSerializable,
    PayloadTooLarge,
    UnknownQueue,
    UnknownWorkflow,
    WorkflowConflict,
    WorkflowNotFound,
    definition_of,
    get_handle,
    start,
)
from durable_django.models import Workflow
from tests.behaviour.support import statements
from tests.sample.promises import takes_order


class BadInputTestCase(TestCase):
    def assert_refused(self, error, act, *words):
        """The act raises at once, says all the words, and asks the database nothing."""
        with statements() as seen, self.assertRaises(error) as caught:
            act()
        for each in words:
            self.assertIn(each, str(caught.exception))
        self.assertEqual([], seen)


class AnId(BadInputTestCase):
    def refuse(self, value, error, *words):
        with self.subTest(value=value):
            self.assert_refused(error, partial(takes_order.using, id=value), *words)

    def test_must_be_a_str(self):
        """Numbers, bytes and subclasses of str are refused with the way out."""
        for value in (7, b"order-7", 7.0, True, Decimal(7), type("Text", (str,), {})("x")):
            self.refuse(value, TypeError, "A workflow id must be a str", type(value).__name__, "id=str(...)")

    def test_must_not_be_blank(self):
        """Empty, or blanks of whatever kind."""
        for value in ("", " ", "\t", "\n", "\u00a0", "\u3000"):
            self.refuse(value, ValueError, "is blank", "such as 'order-1234'")

    def test_must_not_begin_or_end_with_a_blank(self):
        """Databases and URLs treat them unlike each other."""
        for value in (" a", "a ", "\u00a0a", "a\n"):
            self.refuse(value, ValueError, "begins or ends with a blank")

    def test_must_not_carry_control_characters(self):
        """NUL, line breaks, escapes, surrogates and separators, named."""
        for character in ("\0", "\n", "\x1b", "\x7f", "\x85", "\ud800", "\u2028", "\u2029"):
            self.refuse(f"a{character}b", ValueError, "control character or surrogate", repr(character))

    def test_must_not_be_too_long(self):
        """The error tells length, limit and setting; what is shown of the id is short."""
        self.refuse("x" * 256, ValueError, "256 characters", "DURABLE_DJANGO['MAX_ID_LENGTH'] allows 255")
        with self.assertRaises(ValueError) as caught:
            takes_order.using(id="x" * 1_000_000)
        self.assertLess(len(str(caught.exception)), 400)

    @override_settings(DURABLE_DJANGO={"MAX_ID_LENGTH": 10})
    def test_has_a_limit_that_is_a_setting(self):
        """Ten characters are fine, eleven are not."""
        takes_order.using(id="x" * 10)
        self.refuse("x" * 11, ValueError, "allows 10")


class AnyText(HypothesisTestCase):
    @given(st.text(max_size=40))
    @settings(max_examples=100, deadline=None)
    def test_as_an_id_is_refused_or_kept_exactly(self, text):
        """There is no third way."""
        try:
            definition = takes_order.using(id=text)
        except ValueError:
            return

        definition.start(7)

        self.assertEqual(text, Workflow.objects.get(pk=text).pk)


class ADuration(BadInputTestCase):
    def test_must_be_finite_and_not_negative(self):
        """delay= and timeout= name themselves and the value."""
        values = (-1, -0.001, math.inf, -math.inf, math.nan, 1e18, 10**30, timedelta(seconds=-1), timedelta.max)
        for option in ("delay", "timeout"):
            for value in values:
                with self.subTest(option=option, value=value):
                    words = f"{option} must be between", "and a century"
                    self.assert_refused(ValueError, partial(takes_order.using, **{option: value}), *words)

    def test_must_be_a_number_or_a_timedelta(self):
        """bool, str, Decimal and others are refused by type."""
        for value in (True, "60", Decimal(60), [60], object()):
            for option in ("delay", "timeout"):
                with self.subTest(option=option, value=value):
                    words = f"{option} must be a number of seconds or a timedelta", repr(value)
                    self.assert_refused(TypeError, partial(takes_order.using, **{option: value}), *words)

    def test_of_a_timeout_must_not_be_zero(self):
        """It would end before it began."""
        self.assert_refused(ValueError, lambda: takes_order.using(timeout=0), "timeout must be between 0.001 seconds")

    def test_up_to_a_century_is_fine(self):
        """The largest one reaches the row without overflow."""
        handle = takes_order.using(delay=timedelta(days=36_000), timeout=timedelta(days=36_000)).start(7)

        self.assertGreater(handle.workflow.run_after.year, 2100)


class AMoment(BadInputTestCase):
    def test_must_be_aware(self):
        """USE_TZ is on: a naive run_after= could mean anything."""
        value = datetime(2090, 1, 1)
        words = "run_after must be an aware datetime", repr(value), "django.utils.timezone"

        self.assert_refused(ValueError, partial(takes_order.using, run_after=value), *words)

    def test_must_be_a_datetime(self):
        """Dates, texts and numbers are refused."""
        for value in (datetime(2090, 1, 1, tzinfo=UTC).date(), "2090-01-01", 60, True):
            with self.subTest(value=value):
                words = "run_after must be a datetime", repr(value)
                self.assert_refused(TypeError, partial(takes_order.using, run_after=value), *words)

    def test_excludes_a_delay(self):
        """Both at once are a contradiction, also in two steps."""
        moment = datetime(2090, 1, 1, tzinfo=UTC)
        for act in (
            lambda: takes_order.using(delay=1, run_after=moment),
            lambda: takes_order.using(delay=1).using(run_after=moment),
        ):
            self.assert_refused(ValueError, act, "Give delay= or run_after=, not both")

    def test_at_the_edges_of_time_reaches_the_database(self):
        """Moments of the years 2 to 9998 come back as they were; what may not exist in every zone is refused."""
        for moment in (
            datetime(2, 1, 1, tzinfo=UTC),
            datetime(999, 1, 1, tzinfo=UTC),
            datetime(9998, 12, 31, tzinfo=UTC),
        ):
            with self.subTest(moment=moment):
                self.assertEqual(moment, takes_order.using(run_after=moment).start(7).workflow.run_after)
        for moment in (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)):
            words = "run_after must lie between the years 2 and 9998"
            self.assert_refused(ValueError, partial(takes_order.using, run_after=moment), words)


class OtherOptions(BadInputTestCase):
    def test_priority_must_be_a_whole_number_within_bounds(self):
        """From -100 to 100; H14."""
        for value in (101, -101, 2**63, 1.0, "5", True, math.nan):
            with self.subTest(value=value):
                words = "priority must be a whole number from -100 to 100", repr(value)
                self.assert_refused(ValueError, partial(takes_order.using, priority=value), *words)

    def test_queue_must_be_declared(self):
        """UnknownQueue names the nearest, or how to declare it."""
        for name, words in (("secnd", "Did you mean 'second'?"), ("x", "Queue('x')"), ("", "''"), ("\0", "declared")):
            with self.subTest(name=name):
                self.assert_refused(UnknownQueue, partial(takes_order.using, queue=name), words)

    def test_on_duplicate_must_be_known(self):
        """Both words are shown."""
        for value in ("ignore", "", True):
            with self.subTest(value=value):
                words = "on_duplicate must be one of raise, return_existing", repr(value)
                self.assert_refused(ValueError, partial(takes_order.using, on_duplicate=value), *words)

    def test_attributes_must_be_a_json_object(self):
        """What both databases can query: no NaN, no NUL, no surrogate, no other types."""
        for value in (
            [1], "x", 5, {"a": object()}, {"a": math.nan}, {"a": {"b": math.inf}}, {"a": "\0"}, {"\0": 1},
            {"a": "\ud800"}, {(1, 2): 3}, {"a": {1, 2}}, {"a": Decimal(1)},
        ):  # fmt: skip
            with self.subTest(value=value):
                words = "attributes cannot be stored", "Pass a dict of JSON values"
                self.assert_refused(NotSerializable, partial(takes_order.using, attributes=value), *words)

    def test_attributes_have_a_limit(self):
        """That of payloads."""
        self.assert_refused(
            PayloadTooLarge, lambda: takes_order.using(attributes={"a": "x" * 2**21}), "MAX_PAYLOAD_BYTES"
        )

    def test_user_must_be_a_user_or_a_key(self):
        """A dict or a list is neither."""
        for value in ({"id": 5}, [5], True):
            with self.subTest(value=value):
                self.assert_refused(TypeError, partial(takes_order.using, user=value), "user must be", repr(value))

    def test_unknown_options_are_refused_by_name(self):
        """A misspelt option is a TypeError, as for any function."""
        self.assert_refused(TypeError, lambda: takes_order.using(prio=5), "prio")


class Names(BadInputTestCase):
    def test_of_workflows_must_be_known(self):
        """start() and definition_of() suggest the nearest."""
        for act in (lambda: start("sample.takes_ordr", 7), lambda: definition_of("sample.takes_ordr")):
            self.assert_refused(UnknownWorkflow, act, "'sample.takes_ordr'", "Did you mean 'sample.takes_order'?")

    def test_without_a_near_one_say_what_to_do(self):
        """The module may not have been imported."""
        self.assert_refused(UnknownWorkflow, lambda: start("zzz"), "name it workflows.py")

    def test_of_handles_must_exist(self):
        """get_handle() reads the row, and says why there may be none."""
        for name in ("order-9", "", "\ud800"[:0]):
            with self.assertRaisesMessage(WorkflowNotFound, "its transaction was rolled back"):
                get_handle(name)


class Calls(BadInputTestCase):
    def test_of_many_must_be_tuples_or_calls(self):
        """A text or a number instead of a tuple is refused; a text is no list of letters."""
        for items in (["ab"], [7], [None], 7):
            with self.subTest(items=items):
                self.assert_refused(TypeError, partial(takes_order.start_many, items))

    def test_conflict_in_a_sentence(self):
        """Id, what it is, what was wanted, and the way out."""
        takes_order.using(id="order-7").start(7)
        with self.assertRaises(WorkflowConflict) as caught:
            takes_order.using(id="order-7").start(8)

        self.assertEqual(
            "Workflow id 'order-7' is taken by a 'sample.takes_order' with other arguments, not by a "
            "'sample.takes_order' with these arguments. An id is an idempotency key: choose another one, or, if only "
            "the arguments may differ, pass on_duplicate='return_existing'.",
            str(caught.exception),
        )
        json.dumps(caught.exception.__dict__)
