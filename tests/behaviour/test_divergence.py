"""Code that does not fit the history: PAUSED with the whole story, nothing lost, resumed after the fix."""

from unittest import mock

from django.test import TestCase

from durable_django import NotReplayable, step, workflow
from durable_django.models import Step, Workflow
from durable_django.testing import crash_after, run_until_idle
from tests.behaviour.support import acting, labels, row, steps
from tests.sample.promises import acts, takes_order
from tests.sample.workflows import mark, mark_atomically, two_marks


class Code:
    """What today's deployment of `changes` does."""

    steps = ()


@step
def pack(label):
    return mark(label)


@step(name="send")
def send_parcel(label):
    return mark(label)


@workflow
def changes():
    try:
        return [act(label) for act, label in Code.steps]
    except Exception as error:
        mark("refund")
        return str(error)
    finally:
        Code.unwound = True


def deployed(*pairs):
    """Let `changes` call these steps while the block runs."""
    return mock.patch.object(Code, "steps", pairs)


class ChangedCode(TestCase):
    def crash_behind_pack(self):
        handle = changes.using(id="order-7").start()
        with deployed((pack, "a"), (mark, "b")), crash_after(pack):
            run_until_idle()
        return handle

    def test_pauses_the_workflow(self):
        """The message names workflow, position, what was recorded, what is called, and what to do."""
        handle = self.crash_behind_pack()
        with deployed((send_parcel, "a"), (mark, "b")):
            run_until_idle()

        paused = row(handle)
        self.assertEqual(("paused", None), (paused.status, paused.worker))
        self.assertEqual(
            "Workflow order-7 cannot be replayed: step 1 was recorded as 'pack' but the code now calls 'send'. "
            "Restore the old order of steps, or guard what is new with patched('a name'), then resume it: "
            "manage.py durable resume order-7; or fork it from that step: workflow.fork(from_step=1).",
            paused.reason,
        )

    def test_reaches_no_except_clause(self):
        """`except Exception: refund()` does not run; the history is untouched."""
        handle = self.crash_behind_pack()
        with deployed((send_parcel, "a"), (mark, "b")):
            run_until_idle()

        self.assertEqual((["a"], ["pack"]), (labels(), steps(handle)))

    def test_goes_on_after_the_fix(self):
        """Resumed under code that fits, it ends as if nothing had happened."""
        handle = self.crash_behind_pack()
        with deployed((send_parcel, "a")):
            run_until_idle()
        with deployed((pack, "a"), (mark, "b")):
            row(handle).resume()
            run_until_idle()

        self.assertEqual(["a", "b"], handle.refresh().result())
        self.assertEqual(["a", "b"], labels())

    def test_is_paused_again_without_the_fix(self):
        """Resume alone mends nothing, and harms nothing."""
        handle = self.crash_behind_pack()
        with deployed((send_parcel, "a")):
            run_until_idle()
            row(handle).resume()
            run_until_idle()

        self.assertEqual(("paused", 3), (row(handle).status, row(handle).attempt))

    def test_is_found_at_the_first_step_that_differs(self):
        """Inserted, removed or swapped: the error stands at that position."""
        recorded = ((pack, "a"), (mark, "b"), (mark_atomically, "c"))
        for changed, position, words in (
            (((pack, "a"), (send_parcel, "x"), *recorded[1:]), 2, "'mark' but the code now calls 'send'"),
            (((mark, "b"), (mark_atomically, "c")), 1, "'pack' but the code now calls 'mark'"),
            (((pack, "a"), (mark_atomically, "c"), (mark, "b")), 2, "'mark' but the code now calls 'mark_atomically'"),
        ):
            with self.subTest(words=words):
                handle = changes.start()
                with deployed(*recorded), crash_after(mark_atomically):
                    run_until_idle()
                with deployed(*changed):
                    run_until_idle()

                self.assertIn(f"step {position} was recorded as {words}", row(handle).reason)

    def test_may_add_steps_at_the_end(self):
        """A history that is only shorter fits."""
        handle = self.crash_behind_pack()
        with deployed((pack, "a"), (mark, "b"), (send_parcel, "c")):
            run_until_idle()

        self.assertEqual(["a", "b", "c"], handle.refresh().result())

    def test_may_move_a_step_to_another_module(self):
        """Name and kind decide, not where the function lives; atomic or not is no difference either."""
        handle = self.crash_behind_pack()
        moved = step(name="pack", atomic=True)(lambda label: mark(f"moved {label}"))
        with deployed((moved, "a"), (mark, "b")):
            run_until_idle()

        self.assertEqual(["a", "b"], handle.refresh().result())

    def test_is_worded_by_not_replayable(self):
        """The error class of tools keeps its facts as attributes."""
        error = NotReplayable(workflow_id="w", position=3, recorded="a", called="b")

        self.assertEqual(("w", 3, "a", "b"), (error.workflow_id, error.position, error.recorded, error.called))


class RowsThatCannotBeRun(TestCase):
    def assert_paused(self, handle, *words):
        run_until_idle()
        paused = row(handle)
        self.assertEqual(("paused", None), (paused.status, paused.worker))
        for each in words:
            self.assertIn(each, paused.reason)

    def test_for_damaged_arguments_are_paused(self):
        """Broken JSON, a foreign shape, an unknown type: the reason says what is wrong; others go on; H16."""
        other = takes_order.start(1)
        for text in ("{", "7", '{"args": 7}', '{"args": [{"$py": "nonsense", "v": 1}]}', ""):
            handle = takes_order.start(7)
            Workflow.objects.filter(pk=handle.id).update(arguments=text)
            with self.subTest(text=text):
                self.assert_paused(handle, "A stored value cannot be read")
        self.assertEqual("1  False", other.refresh().result())

    def test_for_arguments_that_no_longer_fit_are_paused(self):
        """The function has changed its parameters: the reason names function and parameter."""
        handle = takes_order.start(7)
        Workflow.objects.update(arguments='{"kwargs": {"order": 7, "colour": "red"}}')

        self.assert_paused(handle, "sample.takes_order does not take the arguments that are stored", "'colour'")

    def test_written_in_plain_json_run(self):
        """Other languages start workflows with an array, or an object of args and kwargs."""
        for text in ("[7]", '{"kwargs": {"order": 7}}', '{"args": [7], "kwargs": {}}'):
            handle = takes_order.start(1)
            Workflow.objects.filter(pk=handle.id).update(arguments=text)
            run_until_idle()
            with self.subTest(text=text):
                self.assertEqual("7  False", handle.refresh().result())

    def test_for_a_checkpoint_that_cannot_be_read_are_paused(self):
        """The workflow's code never sees it as an error of its step."""
        handle = changes.start()
        with deployed((pack, "a"), (mark, "b")), crash_after(pack):
            run_until_idle()
        Step.objects.update(output='{"$py": "nonsense", "v": 1}')
        with deployed((pack, "a"), (mark, "b")):
            self.assert_paused(handle, "A stored value cannot be read")

        self.assertEqual(["a"], labels())

    def test_for_a_result_that_cannot_be_read_answer_with_an_error(self):
        """A damaged output or error of an ended workflow reaches whoever asks for it."""
        handle = two_marks.start("a")
        run_until_idle()
        Workflow.objects.update(output="{")

        with self.assertRaisesMessage(ValueError, "A stored value cannot be read"):
            handle.refresh().result()


class ResumingARow(TestCase):
    def test_of_mended_arguments_runs(self):
        """Paused for its arguments, mended by SQL, resumed."""
        handle = takes_order.start(7)
        Workflow.objects.update(arguments="{")
        run_until_idle()
        Workflow.objects.update(arguments="[8]")
        row(handle).resume()
        run_until_idle()

        self.assertEqual("8  False", handle.refresh().result())

    def test_clears_the_reason(self):
        """The story of the pause is gone with it."""
        handle = acts.start()
        row(handle).pause("look at it")
        row(handle).resume()
        with acting(lambda: 1):
            run_until_idle()

        self.assertEqual("", row(handle).reason)
