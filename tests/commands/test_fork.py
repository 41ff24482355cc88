"""`manage.py durable fork`: whom it forks from where, how it asks, what it reports."""

from io import StringIO

from django.core.management import CommandError, call_command
from django.test import TestCase

from durable_django import get_handle
from durable_django.models import Step, Workflow
from durable_django.testing import run_until_idle
from tests.behaviour.forks import boom, breaks, marks, tells
from tests.behaviour.support import acting, row
from tests.commands.support import answer, at_a_terminal, durable, refused, said
from tests.sample import branching
from tests.sample.promises import takes_order


def ended(definition, *args, **options):
    handle = definition.using(**options).start(*args)
    run_until_idle()
    return handle


def failed(*ids):
    """Let workflows fail behind two steps."""
    with acting(boom):
        return [ended(breaks, id=each) for each in ids]


def shared(fork):
    return list(Step.objects.filter(workflow=fork).order_by("position").values_list("position", flat=True))


class OneWorkflow(TestCase):
    def test_is_forked_from_a_step(self):
        """By its position, its place or its name; the id of the fork is printed."""
        ended(marks, "a", "b", "c", id="w")
        ended(tells, 1, id="t")
        for given, found in ((("w", "--from-step", "3"), [1, 2]), (("t", "--from-step", "tell_in_step"), [1, 2])):
            out, err = said("fork", *given)

            self.assertEqual(found, shared(out.strip()))
            self.assertIn("1 workflow forked.", err)

    def test_is_forked_from_its_beginning(self):
        """If nothing else is said."""
        ended(marks, "a", id="w")
        self.assertEqual([], shared(answer("fork", "w")["forked"]["w"]))

    def test_is_forked_from_its_failure(self):
        """Which one that has not failed does not have: the exit code is 1."""
        failed("w")
        ended(marks, "a", id="good")
        found, _error, code = refused("fork", "w", "good", "--from-failure")

        self.assertEqual([1, 2], shared(found["forked"]["w"]))
        self.assertEqual(({"good": "succeeded"}, 1), (found["unchanged"], code))

    def test_is_forked_once(self):
        """F4: the second call says so; another step is another fork."""
        ended(marks, "a", "b", id="w")
        answer("fork", "w", "--from-step", "2")
        out, err = said("fork", "w", "--from-step", "2")
        more = answer("fork", "w", "--from-step", "1")

        self.assertEqual(("", True), (out, "w is forked so already: left as it is." in err))
        self.assertEqual((1, 3), (len(more["forked"]), Workflow.objects.count()))

    def test_is_forked_under_an_id(self):
        """The idempotency key; it can be of one workflow only."""
        ended(marks, "a", id="w")
        found = [answer("fork", "w", "--id", "again") for _time in range(2)]

        self.assertEqual([{"forked": {"w": "again"}}, {"forked": {}, "unchanged": {"w": "forked so already"}}], found)
        with self.assertRaisesMessage(CommandError, "'again'"):
            durable("fork", "w", "--id", "again", "--args", '["b"]')
        for which in (("w", "again"), ("--name", marks.name)):
            with self.assertRaises(CommandError) as caught:
                durable("fork", *which, "--id", "x")
            self.assertEqual(2, caught.exception.returncode)

    def test_may_have_other_arguments_queue_and_version(self):
        """As start takes them; each other argument is another fork."""
        ended(takes_order, 7, id="w")
        for given in ("[8]", '{"order": 8}', '{"order": 8, "note": "x"}'):
            answer("fork", "w", "--args", given, "--to-queue", "second", "--to-version", "2")
        run_until_idle()
        forks = Workflow.objects.filter(forked_from="w", queue="second", version="2").order_by("line")

        self.assertEqual(["8  False", "8  False", "8 x False"], [get_handle(each.pk).result() for each in forks])

    def test_may_read_other_children(self):
        """OLD=NEW; both must be there."""
        handle, other = ended(branching.starts_and_waits, 1), ended(branching.child, 50)
        (child,) = branching.children_of(handle)
        fork = answer("fork", handle.id, "--from-step", "2", "--replace-child", f"{child}={other.id}")
        run_until_idle()

        self.assertEqual([100], get_handle(fork["forked"][handle.id]).result())
        with self.assertRaisesMessage(CommandError, "'nobody'"):
            durable("fork", handle.id, "--from-step", "2", "--replace-child", f"{child}=nobody")

    def test_is_refused_without_the_step(self):
        """With the nearest name; the exit code is 1."""
        ended(tells, 1, id="w")
        with self.assertRaisesMessage(CommandError, "Did you mean 'tell_in_step'?") as caught:
            durable("fork", "w", "--from-step", "tell_in_stepp")

        self.assertEqual((1, 1), (caught.exception.returncode, Workflow.objects.count()))

    def test_is_refused_for_what_cannot_be(self):
        """A queue that nobody declares, half a pair, two places, neither ids nor filters."""
        ended(marks, "a", id="w")
        for given, words in (
            (("w", "--to-queue", "sekond"), "Did you mean 'second'?"),
            (("w", "--replace-child", "x="), "expected OLD=NEW"),
            (("w", "--from-step", "1", "--from-failure"), "not allowed with"),
            (("w", "--from-step", "0"), "a whole number from 1"),
            ((), "Say which workflows"),
            (("nobody",), "There is no workflow nobody"),
        ):
            with self.subTest(given=given), self.assertRaisesMessage(CommandError, words):
                durable("fork", *given)
        self.assertEqual(1, Workflow.objects.count())

    def test_is_left_if_it_was_pruned(self):
        """Nothing is there to be shared, and the exit code is 1."""
        ended(marks, "a", id="w")
        row(get_handle("w")).purge(payloads_only=True)

        found, error, code = refused("fork", "w")

        self.assertEqual(({"forked": {}, "unchanged": {"w": "pruned"}}, 1), (found, code))
        self.assertIn("1 of the workflows that were named could not be forked", error)


class ManyWorkflows(TestCase):
    def test_are_forked_by_filters(self):
        """Each once; who asks again makes nothing new, and is not told of each."""
        failed("a", "b", "c")
        ended(marks, "x", id="other")
        first, again = (answer("fork", "--name", breaks.name, "--from-failure", "--yes") for _time in range(2))

        self.assertEqual(["a", "b", "c"], list(first["forked"]))
        self.assertEqual({"forked": {}}, again)

    def test_are_told_before(self):
        """How many, in which state; those that have not failed are not meant from the failure."""
        failed("a", "b")
        ended(marks, "x", id="other")
        with self.assertRaisesMessage(CommandError, "2 workflows fit (2 failed). Nobody is there to ask: add --yes to"):
            durable("fork", "--since", "1h", "--from-failure")
        with at_a_terminal("n"), self.assertRaisesMessage(CommandError, "Nothing was changed."):
            durable("fork", "--since", "1h")
        with at_a_terminal("y"):
            self.assertEqual(3, len(answer("fork", "--since", "1h")["forked"]))

    def test_without_the_step_are_told_and_left(self):
        """The others are forked; the reasons stand in the answer, and the exit code is 1."""
        ended(tells, 1, id="a")
        ended(marks, "x", id="b")
        ended(tells, 1, id="c")
        out = StringIO()
        with self.assertRaisesMessage(CommandError, "has no step 'tell_in_step'"):
            call_command(
                "durable", "fork", "--since", "1h", "--from-step", "tell_in_step", "--yes", "--json", stdout=out
            )

        self.assertIn('"refused": {\n    "b"', out.getvalue())
        self.assertEqual(
            {"a", "c"}, set(Workflow.objects.filter(forked_from__gt="").values_list("forked_from", flat=True))
        )

    def test_are_refused_together(self):
        """What is wrong for all is said before anybody is asked."""
        failed("a", "b")
        with self.assertRaisesMessage(CommandError, "'sekond'"):
            durable("fork", "--since", "1h", "--to-queue", "sekond")

    def test_show_how_far_it_is(self):
        """On a terminal, beside the answer; Ctrl-C leaves what was made."""
        failed("a", "b")
        err = StringIO()
        err.isatty = lambda: True
        call_command("durable", "fork", "--since", "1h", "--yes", stdout=StringIO(), stderr=err)

        self.assertIn("] 2 of 2", err.getvalue())
