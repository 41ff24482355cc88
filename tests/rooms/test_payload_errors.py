"""Recorded failures: recording cannot fail, reading cannot run code, and what happened stays readable."""

import json
import socket
import sys

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import Http404
from django.test import SimpleTestCase, TestCase, override_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_django.base import payloads
from durable_django.base.payloads.errors import RAISED_FIRST
from durable_django.exceptions import NotReplayable, NotSerializable, WorkflowFailed
from tests.rooms import payload_samples as samples

LIMIT = 64 * 1024
TEXTS = st.text(st.characters(codec=None, categories=None))
ODD = (None, 5, "x", [5], [[]], {"a": 1}, [{"$py": "x"}], {"type": 5})


def caught(error, cause=None):
    """Return the error after it was raised, so that it has a traceback."""
    secret = "hunter2"
    try:
        raise error from cause
    except type(error) as found:
        assert secret
        return found


def again(error):
    """Return the error as a replay would see it."""
    return payloads.decode_error(payloads.encode_error(error))


class WhenAnErrorIsRecorded(SimpleTestCase):
    def assert_recorded(self, error, words=""):
        text = payloads.encode_error(error)

        self.assertTrue(text.isascii() and "\0" not in text)
        self.assertLessEqual(len(text), LIMIT * 1.1)
        self.assertIn(words, payloads.describe_error(text).message)
        self.assertIsInstance(payloads.decode_error(text), Exception)
        return text

    def test_hostile_classes_cannot_prevent_it(self):
        """Errors that cannot be printed, looked at or stored are recorded all the same; H10."""
        for error, words in (
            (samples.Unprintable(), "<Unprintable whose __str__ raised RuntimeError>"),
            (samples.Touchy("x"), ""),
            (ValueError("\0\ud800"), "\0\ud800"),
            (ValueError(object(), samples.Loud(), samples.Unprintable()), ""),
            (samples.Stop("now"), "now"),
            (KeyboardInterrupt(), ""),
            (ValueError("😀" * 500_000), "characters cut"),
            (ValueError(*range(100_000)), ""),
            (ValueError(samples.Text("text")), "text"),
            (samples.Guarded("x"), "x"),
            (ExceptionGroup("many", [ValueError("x" * 10_000)] * 1000), "many"),
            (BaseExceptionGroup("base", [KeyboardInterrupt()]), "base"),
        ):
            with self.subTest(kind=type(error)):
                self.assert_recorded(error, words)

    def test_weird_attributes_and_notes(self):
        """Notes that are no list, and attributes of any name and size, do no harm."""
        error = ValueError("x")
        error.__notes__ = 5
        error.__dict__.update({"$py": 1, "big": "x" * 10**6, "odd": socket.socket, "\ud800": [object()]})
        error.__dict__.update({f"a{number}": number for number in range(1000)})

        self.assert_recorded(error, "x")

    def test_endless_links_are_bounded(self):
        """Causes in a circle, long chains, and groups in groups end."""
        first, second = ValueError(1), ValueError(2)
        first.__cause__, second.__cause__ = second, first
        self.assert_recorded(first)
        group = ValueError("leaf")
        for _ in range(12):
            group = ExceptionGroup("g", [group] * 12)
        self.assert_recorded(group)

    def test_a_deep_recursion_is_recorded(self):
        """A thousand frames are cut to the innermost ones."""

        def dive():
            dive()

        try:
            dive()
        except RecursionError as found:
            text = self.assert_recorded(found)

        self.assertIn("in dive", payloads.describe_error(text).traceback)

    def test_local_variables_are_not_stored(self):
        """A traceback shows lines of code, never values; J9, S3."""
        text = payloads.encode_error(caught(AttributeError("no", name="n", obj={"password": "hunter3"})))

        self.assertIn("raise error from cause", text)
        self.assertNotIn("hunter3", text)
        self.assertNotIn("secret =", text)

    def test_a_query_among_the_arguments_is_not_run(self):
        """Rows and queries are named only: SimpleTestCase forbids the query."""
        text = payloads.encode_error(ValueError(User.objects.all(), [User.objects.all()], User(pk=5, username="ann")))

        self.assertIn("<not stored: <QuerySet>>", text)
        self.assertIn("<not stored: <auth.User 5>>", text)
        self.assertNotIn("ann", text)

    @override_settings(DURABLE_DJANGO={"MAX_ERROR_BYTES": 4000})
    def test_the_limit_is_a_setting(self):
        """The whole text stays within about the limit, both ends of the message remain."""
        error = caught(ValueError("start" + "x" * 9000 + "end"), KeyError("y" * 9000))

        text = payloads.encode_error(error)

        self.assertLess(len(text), 4400)
        message = payloads.describe_error(text).message
        self.assertTrue(message.startswith("start") and message.endswith("end"))

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.one_of(TEXTS, st.integers(), st.floats(), st.binary())))
    def test_arguments_of_any_content(self, args):
        """Every text survives in an error, or is escaped."""
        self.assertEqual(repr(again(ValueError(*args)).args), repr(tuple(args)))


class WhenAnErrorIsReadBack(SimpleTestCase):
    def test_a_loaded_class_comes_back(self):
        """Class, arguments, attributes, notes and cause are restored, the constructor does not run."""
        original = caught(samples.OutOfStock(sku="A1", left=2), samples.Slotted("why"))
        original.add_note("while packing")

        error = again(original)

        self.assertIs(type(error), samples.OutOfStock)
        self.assertEqual((str(error), error.sku, error.left), ("only 2 of A1 left", "A1", 2))
        self.assertEqual(error.__notes__[0], "while packing")
        self.assertIn("raise error from cause", error.__notes__[1])
        self.assertIs(type(error.__cause__), samples.Slotted)

    def test_errors_that_python_and_django_raise(self):
        """Those with state outside of args come back as they were."""
        for original, names in (
            (FileNotFoundError(2, "No such file", "/tmp/x"), "errno strerror filename"),
            (samples.ProviderDown("bank"), "errno strerror provider"),
            (UnicodeEncodeError("ascii", "é", 0, 1, "bad"), "object start end"),
            (ImportError("no", name="n"), "name msg"),
            (json.JSONDecodeError("bad", "doc", 1), "msg doc pos"),
            (Http404("gone"), ""),
            (User.DoesNotExist("no user"), ""),
            (ValidationError({"name": ["bad"]}), ""),
            (NotSerializable(path="a", reason="b.", advice="c."), "path reason advice"),
            (NotReplayable(workflow_id="w", position=1, recorded="a", called="b"), "workflow_id position"),
        ):
            with self.subTest(original=original):
                error = again(original)

                self.assertIs(type(error), type(original))
                self.assertEqual(error.args, original.args)
                if not isinstance(original, ValidationError):
                    self.assertEqual(str(error), str(original))
                for name in names.split():
                    self.assertEqual(getattr(error, name), getattr(original, name))

    def test_the_error_handled_meanwhile_is_the_context(self):
        """An error raised in an except block keeps the one that was being handled, unless told otherwise."""
        try:
            try:
                {}["first"]
            except KeyError:
                int("second")
        except ValueError as found:
            error = again(found)
            found.__suppress_context__ = True
            alone = again(found)

        self.assertEqual((repr(error.__context__), error.__cause__), ("KeyError('first')", None))
        self.assertIsNone(alone.__context__)

    def test_groups_come_back(self):
        """Children are restored, and those that were left out are counted."""
        error = again(ExceptionGroup("all", [ValueError(1), samples.OutOfStock(sku="A", left=0)]))
        many = again(ExceptionGroup("many", [ValueError(n) for n in range(15)]))

        self.assertEqual([type(child) for child in error.exceptions], [ValueError, samples.OutOfStock])
        self.assertEqual(len(many.exceptions), 10)
        self.assertIn("5 more exceptions were not stored.", many.__notes__)

    def test_the_traceback_does_not_pile_up(self):
        """An error that is recorded again keeps one traceback note, which tells both lives."""
        error = again(caught(again(caught(ValueError("x")))))

        notes = [note for note in error.__notes__ if note.startswith(RAISED_FIRST)]
        self.assertEqual(len(notes), 1)
        self.assertEqual(notes[0].count("Traceback (most recent call last)"), 1)
        self.assertEqual(notes[0].count("Raised again:"), 1)

    def test_a_class_that_is_not_here_has_a_stand_in(self):
        """Type, message and traceback are told by WorkflowFailed."""

        class Local(Exception):
            pass

        for original, name in ((Local("x"), "Local"), (samples.Stop("x"), "Stop"), (SystemExit("x"), "SystemExit")):
            error = payloads.decode_error(payloads.encode_error(caught(original)), workflow_id="w-7")

            self.assertIs(type(error), WorkflowFailed)
            self.assertEqual((error.workflow_id, error.error), ("w-7", "x"))
            self.assertTrue(error.type.endswith(name))
            self.assertIn("raise error from cause", error.traceback)

    def test_nothing_is_imported_or_called(self):
        """Paths to functions, other classes and modules that are not loaded are texts; J2."""
        sys.modules.pop("this", None)
        for path in (
            "subprocess:getoutput",
            "os:_exit",
            "builtins:SystemExit",
            "builtins:dict",
            "this:x",
            "os",
            "a.b.C",
        ):
            error = payloads.decode_error(json.dumps({"type": path, "message": "m", "args": ["id"]}))

            self.assertIs(type(error), WorkflowFailed)
        self.assertNotIn("this", sys.modules)

    def test_damaged_records_are_read(self):
        """Whatever the text, an exception and a description come back."""
        good = json.loads(payloads.encode_error(caught(samples.OutOfStock(sku="A", left=1), KeyError(1))))
        texts = ["", "x", "5", "[]", "{}", "[" * 10_000]
        for key in [*good, "children", "children_left_out", "implicit", "notes"]:
            texts += [json.dumps({**good, key: odd}) for odd in ODD]
        texts += [
            json.dumps({"type": "builtins:ExceptionGroup", "args": [], "children": [{}]}),
            json.dumps({"type": "builtins:UnicodeDecodeError", "args": ["u", {"$py": "bytes", "v": ""}, -9, 99, "r"]}),
            json.dumps({"type": "builtins:OSError", "args": [2, "x"], "state": {"errno": [], "filename": 5}}),
        ]
        for text in texts:
            with self.subTest(text=text[:200]):
                error = payloads.decode_error(text)
                self.assertIsInstance(error, Exception)
                self.assertIsInstance(str(error), str)
                self.assertIsInstance(payloads.describe_error(text), payloads.ErrorDescription)
                payloads.encode_error(error)


class WhenAnErrorIsDescribed(SimpleTestCase):
    def test_it_reads_as_python_would_print_it(self):
        """Type, message, notes, traceback and cause are plain text."""
        original = caught(samples.OutOfStock(sku="A1", left=2), KeyError("k"))
        original.add_note("note")

        found = payloads.describe_error(payloads.encode_error(original))

        self.assertEqual(found.type, "tests.rooms.payload_samples.OutOfStock")
        self.assertEqual((found.message, found.notes), ("only 2 of A1 left", ("note",)))
        self.assertTrue(found.traceback.startswith("Traceback (most recent call last):\n"))
        self.assertTrue(found.traceback.endswith("payload_samples.OutOfStock: only 2 of A1 left\n"))
        self.assertEqual((found.cause.type, found.cause.message), ("KeyError", "'k'"))

    def test_other_languages_may_write_type_and_message(self):
        """The least that a record has."""
        found = payloads.describe_error('{"type": "TypeError", "message": "x is undefined"}')

        self.assertEqual((found.type, found.message, found.cause), ("TypeError", "x is undefined", None))


class WhenAnErrorHoldsARow(TestCase):
    def test_the_row_comes_back_by_reference(self):
        """An instance among the arguments is read again, or told missing."""
        user = User.objects.create(username="ann")
        text = payloads.encode_error(ValueError("no", user))

        self.assertEqual(payloads.decode_error(text).args, ("no", user))
        user.delete()
        self.assertIn("no longer exists", payloads.decode_error(text).args[1])
