"""Payloads at their limits: what is refused with which advice, and texts that nobody wrote on purpose."""

import array
import asyncio
import collections
import contextlib
import contextvars
import io
import json
import random
import re
import socket
import sys
import threading
from decimal import Decimal
from unittest import mock

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import connection
from django.http import HttpRequest, HttpResponse, QueryDict
from django.test import SimpleTestCase, override_settings
from hypothesis import example, given, settings
from hypothesis import strategies as st

from durable_django.base import payloads
from durable_django.base.payloads import decoding
from durable_django.exceptions import NotSerializable, PayloadTooLarge, UnreadablePayload
from tests.rooms import payload_samples as samples
from tests.rooms.test_payloads import VALUES


async def coroutine():
    """Answer nothing."""


class WhenATypeIsNotStored(SimpleTestCase):
    def assert_advised(self, value, reason, advice):
        with self.assertRaises(NotSerializable) as caught:
            payloads.encode(value)

        self.assertIn(reason, caught.exception.reason)
        self.assertIn(advice, caught.exception.advice)

    def test_things_of_django(self):
        """Queries, requests, files and connections come with what to pass instead; H7."""
        for value, reason, advice in (
            (User.objects.all(), "QuerySet is a query", "values_list('pk'"),
            (User.objects, "UserManager is a query", "values_list('pk'"),
            (User, "model class", "'auth.User'"),
            (HttpRequest(), "request", "request.user"),
            (HttpResponse(), "response", "data"),
            (ContentFile(b""), "open file", "name or path"),
            (connection.connection or connection._connections[connection._alias], "open connection", "inside a step"),
            (QueryDict("a=1"), "a subclass of dict", "dict(value)"),
        ):
            with self.subTest(reason=reason):
                self.assert_advised(value, reason, advice)

    def test_things_of_one_process(self):
        """Locks, threads, sockets, context variables and whatever runs are refused."""
        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        for value, reason, advice in (
            (io.BytesIO(), "open file", "open it in a step"),
            (threading.Lock(), "lock", "concurrency limit"),
            (threading.RLock(), "lock", "concurrency limit"),
            (threading.Event(), "lock", "concurrency limit"),
            (threading.current_thread(), "lives in one process", "inside a step"),
            (loop.create_future(), "lives in one process", "inside a step"),
            (contextvars.ContextVar("x"), "one process", "its value"),
            (samples.callback, "function", "arguments"),
            (len, "function", "arguments"),
            (self.setUp, "function", "arguments"),
            ((n for n in ()), "only once", "list(value)"),
            (iter([]), "only once", "list(value)"),
            (sys, "module", "name"),
            (re.compile("a"), "pattern", "value.pattern"),
        ):
            with self.subTest(reason=reason, kind=type(value)):
                self.assert_advised(value, reason, advice)

    def test_open_sockets_and_coroutines(self):
        """What must be closed is refused like the rest."""
        with socket.socket() as opened:
            self.assert_advised(opened, "open connection", "inside a step")
        waiting = coroutine()
        self.addCleanup(waiting.close)
        self.assert_advised(waiting, "not awaited", "Await it")

    def test_relatives_of_stored_types(self):
        """A subclass would come back as another type and is named."""
        for value, reason, advice in (
            (samples.Pair(1, 2), "named tuple", "tuple(value)"),
            (samples.Ordered(a=1), "collections.OrderedDict, a subclass of dict", "dict(value)"),
            (collections.defaultdict(list), "collections.defaultdict", "dict(value)"),
            (collections.Counter(), "collections.Counter", "dict(value)"),
            (samples.Text("x"), "tests.rooms.payload_samples.Text, a subclass of str", "str(value)"),
            (samples.Number(1), "a subclass of int", "int(value)"),
            (samples.Stamp(2026, 1, 1), "a subclass of datetime", "register"),
            (bytearray(b"x"), "can change", "bytes(value)"),
            (collections.deque(), "deque", "list(value)"),
            (range(3), "range", "list(value)"),
            (array.array("i"), "array", "list(value)"),
            (1j, "complex", "value.real"),
            (samples.Money(1, "EUR"), "payload_samples.Money", "register_codec()"),
            (samples.Loud(), "payload_samples.Loud", "dataclass"),
            (samples.Colour, "class", "name"),
            (mock.Mock(), "Mock", "register_codec()"),
        ):
            with self.subTest(reason=reason):
                self.assert_advised(value, reason, advice)


class WhenAValueIsTooLarge(SimpleTestCase):
    def assert_too_large(self, value, limit, path="value"):
        with self.assertRaises(PayloadTooLarge) as caught:
            payloads.encode(value)

        self.assertEqual((caught.exception.limit, caught.exception.path), (limit, path))
        self.assertIn(f"DURABLE_DJANGO['{limit}']", str(caught.exception))

    @override_settings(DURABLE_DJANGO={"MAX_PAYLOAD_BYTES": 1000})
    def test_the_setting_is_named(self):
        """Long texts, bytes, numbers and containers name the limit; H12, S18."""
        for value in ("x" * 1000, "é" * 200, b"x" * 900, 1 << 9000, [0] * 600, {"k" * 999: 1}, Decimal("1" * 1000)):
            with self.subTest(kind=type(value)):
                self.assert_too_large(value, "MAX_PAYLOAD_BYTES")
        self.assertEqual(payloads.decode(payloads.encode("x" * 998)), "x" * 998)

    @override_settings(DURABLE_DJANGO={"MAX_PAYLOAD_BYTES": 1000})
    def test_a_step_and_a_call_have_the_same_limit(self):
        """round_trip() and encode_call() refuse what encode() refuses."""
        for call in (lambda: payloads.round_trip(["x" * 1000]), lambda: payloads.encode_call((["x" * 600],) * 2, {})):
            with self.assertRaises(PayloadTooLarge):
                call()

    def test_shared_parts_do_not_multiply(self):
        """A few lists that hold each other many times are refused before they are written out."""
        value = ["x"] * 100
        for _ in range(30):
            value = [value] * 100

        self.assert_too_large(value, "MAX_PAYLOAD_BYTES")

    def test_deep_values_are_refused_by_their_depth(self):
        """A thousand levels give the error, not RecursionError; H15."""
        value = []
        for _ in range(1000):
            value = [value]

        self.assert_too_large(value, "MAX_DEPTH", "value[0][0][0][0][0][0]...[0][0][0][0][0][0]")

    def test_the_deepest_allowed_value_comes_back(self):
        """Every kind of container works down to the limit."""
        for wrap in (lambda v: [v], lambda v: (v,), lambda v: {1: v}, lambda v: {"a": v}, samples.Line):
            value = 1
            for _ in range(200):
                value = wrap(value)
            with self.subTest(kind=type(value)):
                self.assertEqual(repr(payloads.decode(payloads.encode(value))), repr(value))

    @override_settings(DURABLE_DJANGO={"MAX_DEPTH": 100_000})
    def test_the_stack_is_a_limit_too(self):
        """Whatever the setting allows, RecursionError does not escape."""
        value = []
        for _ in range(50_000):
            value = [value]

        with self.assertRaisesMessage(NotSerializable, "deeper than the stack allows"):
            payloads.encode(value)


class WhenATextIsNotAPayload(SimpleTestCase):
    def assert_unreadable(self, text, words=""):
        with self.assertRaises(UnreadablePayload) as caught:
            payloads.decode(text)

        self.assertIn(words, str(caught.exception))

    def test_what_is_wrong_is_said(self):
        """Damage, unknown tags and limits are told apart; H16, S2, S6."""
        for text, words in (
            ("", "not JSON"),
            ("{", "not JSON"),
            ("\ufeff1", "not JSON"),
            ("NaN", "NaN is not JSON"),
            ("9" * 5000, "not JSON"),
            (b"1", "it is bytes, not text"),
            (None, "not text"),
            ('{"$py":"pickle","v":"x"}', "nothing is known of the tag 'pickle'"),
            ('{"$py":["int"],"v":"x"}', "nothing is known of the tag ['int']"),
            ('{"$py":"int"}', "stands among other keys"),
            ('{"$py":"int","v":"0x1","w":1}', "stands among other keys"),
            ("[" * 100_000, "nested deeper"),
            ("[" * 100_000 + "]" * 100_000, "nested deeper"),
            ('{"a":' * 100_000 + "1" + "}" * 100_000, "nested deeper"),
        ):
            with self.subTest(text=repr(text)[:40]):
                self.assert_unreadable(text, words)

    def test_a_huge_text_is_refused_unread(self):
        """Memory is not spent on it."""
        with mock.patch.object(decoding, "MAX_STORED_BYTES", 10):
            self.assert_unreadable('"12345678901"', "it has 13 characters")

    def test_a_wide_text_is_not_a_deep_one(self):
        """Brackets side by side, or inside strings, are no levels."""
        value = [[], {"[[[{": []}] * 5000

        self.assertEqual(payloads.decode(payloads.encode(value)), value)

    def test_malformed_content_of_every_tag(self):
        """Whatever a tag holds, UnreadablePayload is the only error that escapes."""
        contents = [
            "null",
            "1",
            "1e999",
            '""',
            '"x"',
            "[]",
            "{}",
            "[[]]",
            "[[1]]",
            "[[[],1]]",
            '["a","b"]',
            '["a",{}]',
            "[1,2,3]",
        ]
        contents += ['["tests.rooms.payload_samples:Point",{"x":1}]', '["tests.rooms.payload_samples:Colour","NO"]']
        contents += ['["tests.rooms.payload_samples:Access",9999]', '{"type":"builtins:ExceptionGroup"}', '{"at":"x"}']
        contents += [
            '{"at":"2026-01-01","zone":"America"}',
            '{"at":"2026-01-01","zone":"../../etc/passwd"}',
            '["PosixPath","\\u0000"]',
        ]
        contents += ['{"$py":"set","v":[]}', '{"$py":"dict","v":[[[],1]]}', "[1e400,1,1]", '"9999999999-01-01"']
        for tag in decoding.UNPACKERS:
            for content in contents:
                with self.subTest(tag=tag, content=content), contextlib.suppress(UnreadablePayload):
                    payloads.decode(f'{{"$py":"{tag}","v":{content}}}')

    @settings(max_examples=300, deadline=None)
    @given(VALUES, st.integers())
    @example(samples.Line(price=ValueError("x")), 1)
    def test_mutated_texts(self, value, seed):
        """Texts with characters, tags or parts exchanged give a value or UnreadablePayload."""
        chance = random.Random(seed)
        text = payloads.encode([value, (1,), samples.Colour.RED, KeyError("k"), samples.Point(1, {2: 3})])
        pieces = re.findall(r'"(?:[^"\\]|\\.)*"|[\[\]{}:,]|[^\[\]{}:,"]+', text)
        for _ in range(20):
            mutated = list(pieces)
            for _ in range(chance.randint(1, 3)):
                mutated[chance.randrange(len(pieces))] = chance.choice(
                    [*pieces, '"tuple"', '"enum"', '"', "", "null", "-1"]
                )
            with contextlib.suppress(UnreadablePayload):
                payloads.decode("".join(mutated))

    def test_classes_of_other_kinds_are_not_touched(self):
        """Functions, modules, classes of another kind and modules that are not loaded are refused; J1, J2."""
        sys.modules.pop("this", None)
        for path in (
            "os:system",
            "subprocess:Popen",
            "this:x",
            "builtins:SystemExit",
            "builtins:dict",
            "os",
            "",
            ":",
            "sys:modules",
        ):
            for tag, rest in (("enum", '"X"'), ("flags", "1"), ("dataclass", "{}")):
                with self.subTest(path=path, tag=tag):
                    self.assert_unreadable(
                        json.dumps({"$py": tag, "v": [path, json.loads(rest)]}), "of a loaded module"
                    )
            with self.subTest(path=path, tag="exception"):
                self.assert_unreadable(json.dumps({"$py": "exception", "v": {"type": path}}), "of a loaded module")
        self.assertNotIn("this", sys.modules)

    def test_modules_are_not_asked_for_attributes(self):
        """A module that imports on demand is not made to."""
        asked = []
        with mock.patch.object(samples, "__getattr__", asked.append, create=True):
            self.assert_unreadable('{"$py":"enum","v":["tests.rooms.payload_samples:Lazy","X"]}')

        self.assertEqual(asked, [])
