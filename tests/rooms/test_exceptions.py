"""exceptions.py: the tree in the docstring is the tree of the classes; errors keep their facts and pickle."""

import copy
import inspect
import pickle
import re

from django.core.exceptions import ImproperlyConfigured, ObjectDoesNotExist
from django.db.transaction import TransactionManagementError
from django.test import SimpleTestCase

from durable_django import exceptions
from durable_django.base import interrupts, payloads
from durable_django.exceptions import DurableError

FACTS = {
    "message": "m", "queue": "q", "nearest": "", "name": "n", "path": "p", "reason": "r", "advice": "a", "size": 1,
    "limit": "L", "allowed": 2, "workflow_id": "w", "existing": "e", "wanted": "x", "deduplication_key": "k",
    "kind": "K",
    "type": "T", "error": "e", "status": "s", "recoveries": 3, "timeout": 5, "step": "s", "attempts": 3,
    "last_error": "l", "attempt": 1, "what": "did", "position": 1, "recorded": "a", "called": "b", "topic": "t",
    "key": "k", "operation": "o", "where": "there", "traceback": "tb", "why": "in time",
}  # fmt: skip


def classes():
    """Return every error class of the module."""
    return [
        kind
        for kind in vars(exceptions).values()
        if inspect.isclass(kind) and issubclass(kind, DurableError) and kind.__module__ == exceptions.__name__
    ]


def facts_of(kind):
    """Return what the template of a class asks for."""
    return {name: FACTS[name] for name in re.findall(r"{(\w+)", kind.template)}


def drawn():
    """Return the tree of the docstring: class -> (parent, other base)."""
    tree, parents = {}, {}
    for line in exceptions.__doc__.splitlines():
        match = re.match(r"^    ([│ ]*[├└]── )?([A-Z]\w+)(?: +\((\w+)\))?", line)
        if match:
            depth = len(match[1] or "") // 4
            parents[depth] = match[2]
            tree[match[2]] = (parents.get(depth - 1), match[3])
    return tree


class TheTree(SimpleTestCase):
    def test_in_the_docstring_is_that_of_the_classes(self):
        """Every class, its parent, and what Django or Python developers catch it as."""
        defined = {}
        for kind in classes():
            first, *others = kind.__bases__
            defined[kind.__name__] = (
                first.__name__ if first is not Exception else None, others[0].__name__ if others else None
            )  # fmt: skip

        self.assertEqual(defined, drawn())

    def test_is_caught_as_developers_expect(self):
        """As in the contract."""
        for name, kind in (
            ("RegistrationError", ImproperlyConfigured),
            ("UnknownQueue", ImproperlyConfigured),
            ("UnknownWorkflow", LookupError),
            ("NotSerializable", TypeError),
            ("PayloadTooLarge", ValueError),
            ("WorkflowNotFound", ObjectDoesNotExist),
            ("ResultTimeout", TimeoutError),
            ("StepTimeout", TimeoutError),
            ("ReceiveTimeout", TimeoutError),
            ("EventTimeout", TimeoutError),
            ("InsideTransaction", TransactionManagementError),
        ):
            with self.subTest(name=name):
                self.assertTrue(issubclass(getattr(exceptions, name), kind))
                self.assertTrue(issubclass(getattr(exceptions, name), DurableError))


class EveryError(SimpleTestCase):
    def test_keeps_its_facts(self):
        """As attributes, and worded in its text without a place left open."""
        for kind in classes():
            facts = facts_of(kind)
            error = kind(**facts)
            with self.subTest(kind=kind.__name__):
                self.assertEqual(facts, {name: getattr(error, name) for name in facts})
                self.assertEqual((str(error),), error.args)
                self.assertNotIn("{", str(error))
                self.assertIn(str(next(iter(facts.values()))), str(error))

    def test_survives_pickling_copying_and_recording(self):
        """Text and facts are the same on the other side."""
        for kind in classes():
            error = kind(**facts_of(kind))
            for how in (
                lambda each: pickle.loads(pickle.dumps(each)),
                copy.copy,
                lambda each: payloads.decode_error(payloads.encode_error(each)),
            ):
                again = how(error)
                with self.subTest(kind=kind.__name__):
                    self.assertIs(kind, type(again))
                    self.assertEqual(str(error), str(again))
                    for name in facts_of(kind):
                        self.assertEqual(getattr(error, name), getattr(again, name))

    def test_is_documented(self):
        """One sentence at least, which says when it happens."""
        for kind in classes():
            with self.subTest(kind=kind.__name__):
                self.assertTrue(kind.__doc__ and kind.__doc__.strip().endswith((".", "which.", "is.")))
                self.assertNotEqual(DurableError.__doc__, None)


class Interrupts(SimpleTestCase):
    def test_are_no_exceptions(self):
        """`except Exception` in a workflow cannot catch them, and they are not in the public tree."""
        for kind in vars(interrupts).values():
            if inspect.isclass(kind) and issubclass(kind, BaseException):
                self.assertFalse(issubclass(kind, Exception), kind)
                self.assertFalse(hasattr(exceptions, kind.__name__))
