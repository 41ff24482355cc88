"""The stored format: what goes in comes out, of the same type, and the text is plain JSON in ASCII."""

import dataclasses
import datetime as dt
import math
import pathlib
import uuid
from decimal import Decimal
from unittest import mock
from zoneinfo import ZoneInfo

from django.test import SimpleTestCase, override_settings
from django.utils.safestring import SafeString, mark_safe
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_django.base import payloads
from durable_django.exceptions import NotSerializable, UnreadablePayload
from tests.rooms import payload_samples as samples

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**2000, max_value=2**2100),
    st.floats(),
    st.text(st.characters(codec=None, categories=None)),
    st.text().map(SafeString),
    st.binary(),
    st.decimals(allow_nan=True),
    st.datetimes(timezones=st.one_of(st.none(), st.timezones(), st.just(dt.UTC))),
    st.datetimes(timezones=st.timedeltas(dt.timedelta(hours=-23), dt.timedelta(hours=23)).map(dt.timezone)),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.uuids(),
    st.sampled_from([*samples.Colour, *samples.Level, *samples.Mood, *samples.Status, samples.Access(3)]),
    st.from_regex(r"[a-z/.]{0,10}").map(pathlib.PurePosixPath),
)
HASHABLE = SCALARS.filter(lambda value: not (type(value) is Decimal and value.is_snan()))
KEYS = st.one_of(HASHABLE, st.just("$py"), st.just("v"), st.tuples(HASHABLE, HASHABLE))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(KEYS, inner, max_size=4),
        st.dictionaries(st.text(), inner, max_size=4),
        st.sets(HASHABLE, max_size=4),
        st.frozensets(HASHABLE, max_size=4),
        st.builds(samples.Line, price=inner),
        st.builds(samples.Point, inner, inner),
    ),
    max_leaves=12,
)


def shape(value):  # noqa: PLR0911 - one per kind
    """Return a text that is equal only for values equal in type, content and order, NaN and sets included."""
    kind = type(value)
    if kind in (list, tuple):
        return f"{kind.__name__}({', '.join(map(shape, value))})"
    if kind in (set, frozenset):
        return f"{kind.__name__}({', '.join(sorted(map(shape, value)))})"
    if kind is dict:
        return f"dict({', '.join(f'{shape(key)}: {shape(item)}' for key, item in value.items())})"
    if dataclasses.is_dataclass(value):
        return f"{kind.__name__}({', '.join(shape(getattr(value, field.name)) for field in dataclasses.fields(value))})"
    if kind is float:
        return f"float({value!r}, {math.copysign(1, value)})"
    if kind in (dt.datetime, dt.time):
        return f"{value!r} {value.tzinfo!r} {value.fold}"
    return f"{kind.__name__}({value!r})"


class PayloadTestCase(SimpleTestCase):
    def assert_comes_back(self, value):
        text = payloads.encode(value)

        self.assertTrue(text.isascii() and "\0" not in text)
        self.assertEqual(shape(payloads.decode(text)), shape(value))

    def assert_refused(self, value, path, words):
        with self.assertRaises(NotSerializable) as caught:
            payloads.encode(value)

        self.assertEqual(caught.exception.path, path)
        self.assertIn(words, str(caught.exception))


class WhenAValueIsStored(PayloadTestCase):
    @settings(max_examples=400, deadline=None)
    @given(VALUES)
    def test_any_value_comes_back_equal_in_type_and_content(self, value):
        """Every mixture of the supported types comes back the same; H1 to H6."""
        self.assert_comes_back(value)

    @settings(max_examples=200, deadline=None)
    @given(VALUES)
    def test_the_first_run_sees_what_a_replay_sees(self, value):
        """The copy of round_trip() is what its text decodes to, and the text is that of encode()."""
        text, copy = payloads.round_trip(value)

        self.assertEqual(text, payloads.encode(value))
        self.assertEqual(shape(copy), shape(payloads.decode(text)))

    def test_scalars_that_json_would_change(self):
        """Large floats, negative zero, NaN, infinities, NUL and split surrogates come back as they were."""
        for value in (1e16, -0.0, 0.1, math.nan, -math.nan, math.inf, -math.inf, "\0", "\ud800", "\ud83d\ude00", "😀"):
            with self.subTest(value=ascii(value)):
                self.assert_comes_back(value)

    def test_numbers_of_any_size(self):
        """Integers beyond Python's digit limit are stored in hexadecimal."""
        for value in (0, -1, 2**70, -(2**2048), 10**5000, -(10**5000)):
            with self.subTest(bits=value.bit_length()):
                self.assertEqual(payloads.decode(payloads.encode(value)), value)
                self.assertEqual(payloads.decode(payloads.encode([value])), [value])

    def test_decimals_are_exact(self):
        """Exponent, sign, trailing zeros and the kinds of NaN survive."""
        for text in ("1.10", "-0", "1E+5", "1E-400", "NaN", "sNaN", "-sNaN12", "Infinity"):
            with self.subTest(text=text):
                self.assertEqual(str(payloads.decode(payloads.encode(Decimal(text)))), text)

    def test_moments_keep_their_zone_and_fold(self):
        """A zone comes back by its key, a fixed offset with its seconds and name, a repeated hour with its fold."""
        berlin = ZoneInfo("Europe/Berlin")
        for value in (
            dt.datetime(2026, 10, 25, 2, 30),
            dt.datetime(2026, 10, 25, 2, 30, tzinfo=berlin, fold=1),
            dt.datetime(2026, 10, 25, 2, 30, fold=1),
            dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
            dt.datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC")),
            dt.datetime(2026, 1, 1, tzinfo=dt.timezone(dt.timedelta(seconds=-1))),
            dt.datetime(2026, 1, 1, tzinfo=dt.timezone(dt.timedelta(microseconds=1))),
            dt.datetime(2026, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=-5), "EST")),
            dt.time(1, 2, 3, 4, tzinfo=berlin, fold=1),
            dt.time(1, 2, tzinfo=dt.UTC),
            dt.timedelta(days=-3, microseconds=7),
        ):
            with self.subTest(value=value):
                self.assert_comes_back(value)

    def test_a_safe_string_stays_safe_and_a_string_stays_unsafe(self):
        """Escaping in templates does not change with a replay."""
        self.assertIs(type(payloads.decode(payloads.encode(mark_safe("<b>")))), SafeString)
        self.assertIs(type(payloads.decode(payloads.encode("<b>"))), str)

    def test_paths(self):
        """A path comes back as its own class."""
        for value in (pathlib.Path("/a"), pathlib.PurePosixPath("b"), pathlib.PureWindowsPath("c:\\d")):
            with self.subTest(value=value):
                self.assert_comes_back(value)

    def test_keys_of_any_kind_in_their_order(self):
        """Keys that are not strings, that look like a tag, or that json would merge keep kind and order."""
        for value in (
            {1: "a", "1": "b", False: "c", None: "d"},
            {"bbb": 1, "a": 2},
            {"$py": "tuple", "v": [1]},
            {(1, "x"): {dt.date(2026, 1, 1): 1}},
            {"\ud83d\ude00": 1},
        ):
            with self.subTest(value=value):
                self.assert_comes_back(value)

    def test_equal_sets_make_equal_texts(self):
        """The order in which a process happens to hold a set does not show."""
        self.assertEqual(payloads.encode({1, 9, 17, 33}), payloads.encode({33, 17, 9, 1}))

    def test_enums(self):
        """Members, aliases, combinations of flags and Django's choices come back as the same objects."""
        for value in (
            samples.Colour.CRIMSON,
            samples.Level.HIGH,
            samples.Mood.GLAD,
            samples.Access.READ | samples.Access.WRITE,
            samples.Access(0),
            samples.Status.PAID,
            samples.Grade.FIRST,
            samples.Order.Note.GIFT,
        ):
            with self.subTest(value=value):
                self.assertIs(payloads.decode(payloads.encode(value)), value)

    def test_flags_without_a_name(self):
        """They come back as equal flags of their class; whether as the same object is Python's affair."""
        value = samples.Mode(9)

        found = payloads.decode(payloads.encode(value))

        self.assertEqual((samples.Mode, value), (type(found), found))

    def test_plain_json_is_a_payload(self):
        """What other languages write is read as dict, list and scalars."""
        self.assertEqual(
            payloads.decode(' {"a": [1, 2.5, null], "v": {"$ref": true}} '),
            {
                "a": [1, 2.5, None],
                "v": {"$ref": True},
            },
        )

    def test_the_copy_is_not_the_original(self):
        """A list changed after the step does not change what the step returned."""
        value = {"a": 1}

        _, copy = payloads.round_trip(value)
        value["a"] = 2

        self.assertEqual(copy, {"a": 1})

    def test_the_format_does_not_change(self):
        """Rows written today are read by every later version."""
        for value, text in (
            (None, "null"),
            ([1, 2.0, "é"], '[1,2.0,"\\u00e9"]'),
            (math.nan, '{"$py":"float","v":"nan"}'),
            ((1,), '{"$py":"tuple","v":[1]}'),
            ({1: 2}, '{"$py":"dict","v":[[1,2]]}'),
            ({2, 1}, '{"$py":"set","v":[1,2]}'),
            (b"a", '{"$py":"bytes","v":"YQ=="}'),
            (Decimal("1.0"), '{"$py":"decimal","v":"1.0"}'),
            (dt.datetime(2026, 1, 1, tzinfo=dt.UTC), '{"$py":"datetime","v":"2026-01-01T00:00:00+00:00"}'),
            (dt.timedelta(1), '{"$py":"timedelta","v":[1,0,0]}'),
            (uuid.UUID(int=1), '{"$py":"uuid","v":"00000000-0000-0000-0000-000000000001"}'),
            (samples.Status.PAID, '{"$py":"enum","v":["tests.rooms.payload_samples:Status","PAID"]}'),
            (samples.Point(1, 2), '{"$py":"dataclass","v":["tests.rooms.payload_samples:Point",{"x":1,"y":2}]}'),
        ):
            with self.subTest(value=value):
                self.assertEqual(payloads.encode(value), text)


class WhenACallIsStored(PayloadTestCase):
    def test_arguments_come_back(self):
        """Positional and keyword arguments of any storable kind come back."""
        for args, kwargs in (((), {}), ((1, "a"), {"b": None}), (((1,),), {"$py": {2}, "😀": 1, "\ud83d\ude00": 2})):
            with self.subTest(args=args):
                self.assertEqual(payloads.decode_call(payloads.encode_call(args, kwargs)), (args, kwargs))

    def test_other_languages_write_arrays_or_objects(self):
        """An array is positional; an object has args, kwargs or both."""
        for text, call in (
            ("[1, [2]]", ((1, [2]), {})),
            ('{"kwargs": {"a": 1}}', ((), {"a": 1})),
            ('{"args": [3]}', ((3,), {})),
            ("{}", ((), {})),
        ):
            with self.subTest(text=text):
                self.assertEqual(payloads.decode_call(text), call)

    def test_what_is_not_a_call_is_unreadable(self):
        """Other JSON is refused, with the shape that was expected."""
        for text in (
            "5",
            '{"order": 7}',
            '{"args": {}}',
            '{"kwargs": []}',
            '{"kwargs":{"$py":"dict","v":[[1,2]]}}',
            "x",
        ):
            with self.subTest(text=text), self.assertRaises(UnreadablePayload):
                payloads.decode_call(text)

    def test_paths_name_the_argument(self):
        """Positional arguments are counted from one, keyword arguments named."""
        for args, kwargs, path in (
            ((1, object()), {}, "argument 2"),
            ((), {"order": [1, 2, object()]}, "argument 'order'[2]"),
        ):
            with self.assertRaises(NotSerializable) as caught:
                payloads.encode_call(args, kwargs)

            self.assertEqual(caught.exception.path, path)

    def test_equal_calls_have_equal_fingerprints(self):
        """The order of keywords and keys does not count, nor who wrote the text."""
        ours = payloads.encode_call((1,), {"a": {"x": 1, "y": {2: 3, 4: 5}}, "b": 2})
        again = payloads.encode_call((1,), {"b": 2, "a": {"y": {4: 5, 2: 3}, "x": 1}})

        self.assertEqual(payloads.fingerprint("shop.checkout", ours), payloads.fingerprint("shop.checkout", again))
        self.assertEqual(
            payloads.fingerprint("n", "[1, 2]"), payloads.fingerprint("n", payloads.encode_call((1, 2), {}))
        )
        self.assertEqual(len(payloads.fingerprint("n", "[]")), 32)

    def test_other_calls_have_other_fingerprints(self):
        """Name, values, types and the place of an argument count; damaged text has a fingerprint too."""
        texts = ["[1]", "[1.0]", "[true]", '["1"]', '{"kwargs":{"a":1}}', "[1,1]", "nonsense", "[" * 5000]

        prints = {payloads.fingerprint(name, text) for name in ("a", "b", "\ud800") for text in texts}

        self.assertEqual(len(prints), 3 * len(texts))


class WhenAValueCannotBeStored(PayloadTestCase):
    def test_the_path_leads_to_it(self):
        """Keys, indexes and fields are written as in Python."""
        order = {"lines": [1, 2, 3, samples.Line(price=object())]}

        with self.assertRaises(NotSerializable) as caught:
            payloads.encode(order, path="order")

        self.assertEqual(caught.exception.path, 'order["lines"][3].price')

    def test_places_without_index_are_described(self):
        """Keys and elements of sets have a place too."""
        for value, path in (
            ({samples.Loud: 1}, "value (a key)"),
            ({1: samples.Loud()}, "value[1]"),
            ({samples.Loud}, "value (an element, type)"),
            ({"k" * 50: samples.Loud()}, f'value["{"k" * 12}...{"k" * 13}"]'),
        ):
            with self.subTest(path=path):
                self.assert_refused(value, path, "")

    def test_classes_that_no_other_process_could_find_are_refused(self):
        """Local classes, those of __main__ and renamed ones."""

        @dataclasses.dataclass
        class Local:
            x: int

        self.assert_refused(Local(1), "value", "is local to a function")
        with mock.patch.object(samples.Point, "__module__", "__main__"):
            self.assert_refused(samples.Point(1, 2), "value", "is defined in __main__")
        point = samples.Point(1, 2)
        with mock.patch.object(samples, "Point", None):
            self.assert_refused(point, "value", "cannot be found again")

    @override_settings(DURABLE_DJANGO={"MAX_DEPTH": 6})
    def test_containers_that_contain_themselves(self):
        """The error says so instead of speaking of depth."""
        cycle = {"a": []}
        cycle["a"].append(cycle)

        self.assert_refused([cycle], 'value[0]["a"][0]', "it contains itself")
