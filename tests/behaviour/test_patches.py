"""patched, deprecate_patch: code changes while workflows run, and each history goes the way it has begun."""

from functools import partial

from django.test import TestCase

import durable_django as durable
from durable_django import OutsideWorkflow, step
from durable_django.engine.rehearsing import rehearse
from durable_django.models import Step
from durable_django.testing import run_until_idle
from tests.behaviour.support import acting, labels, row, waiting
from tests.sample.looping import acts_in_async
from tests.sample.models import Mark
from tests.sample.promises import acts, acts_itself


@step
def mark(label):
    Mark.objects.create(label=label)
    return label


def old():
    mark("old")
    durable.receive(timeout=None)
    mark("end")


def new():
    """It has another step at its front."""
    if durable.patched("front"):
        mark("new")
    mark("old")
    durable.receive(timeout=None)
    mark("end")


def newest():
    """The old way is gone from the code."""
    durable.deprecate_patch("front")
    mark("new")
    mark("old")
    durable.receive(timeout=None)
    mark("end")


def run(*releases, definition=acts_itself):
    """Let a workflow begin under one release, and end under the last one. Return its handle."""
    first, *others = releases
    with acting(first):
        handle = waiting(definition)
    for release in others:
        with acting(release):
            durable.send(handle.id, "go on")
            run_until_idle()
    return handle


class APatch(TestCase):
    def test_is_gone_by_new_runs(self):
        """It is recorded, so that a replay goes the same way."""
        handle = run(new, new)

        self.assertEqual("succeeded", row(handle).status)
        self.assertEqual(["before", "new", "old", "end", "after"], labels())
        self.assertEqual(1, Step.objects.filter(name="front", kind="patch").count())

    def test_is_not_gone_by_old_ones(self):
        """What has come past it takes no place and goes on."""
        handle = run(old, new)

        self.assertEqual("succeeded", row(handle).status)
        self.assertEqual(["before", "old", "end", "after"], labels())
        self.assertEqual(0, Step.objects.filter(kind="patch").count())

    def test_is_gone_by_old_ones_that_have_not_come_there(self):
        """They are the first at that place."""

        def begin():
            durable.receive(timeout=None)
            old()

        def change():
            durable.receive(timeout=None)
            new()

        handle = run(begin, change, change)

        self.assertEqual("succeeded", row(handle).status)
        self.assertEqual(["before", "new", "old", "end", "after"], labels())

    def test_may_be_removed_step_by_step(self):
        """First deprecated: histories with it, and runs without."""
        with_it, without = run(new, newest), run(newest, newest)

        self.assertEqual(("succeeded", "succeeded"), (row(with_it).status, row(without).status))
        self.assertEqual(["before", "new", "old", "end", "after"] * 2, labels())

    def test_is_known_to_a_rehearsal(self):
        """By which a release is tried: each way that fits a history does so there, to the end of it."""
        histories = [run(new, new), run(old, old)]
        ways = {each.__name__: [] for each in (old, new, newest)}
        for release in (old, new, newest):
            with acting(release):
                ways[release.__name__] = [rehearse(row(handle), "default") is None for handle in histories]

        self.assertEqual({"old": [False, True], "new": [True, True], "newest": [True, False]}, ways)

    def test_that_is_removed_too_early_pauses(self):
        """A history that has it does not fit code without: nothing is guessed."""
        handle = run(new, old)

        self.assertEqual("paused", row(handle).status)
        self.assertIn("'front'", row(handle).reason)

    def test_stands_beside_others(self):
        """One before another one, in any order of their coming."""

        def two():
            first, second = durable.patched("second"), durable.patched("front")
            if second:
                mark("new")
            mark("old")
            durable.receive(timeout=None)
            mark(f"{first}-{second}")

        run(new, two)
        run(two, two)

        self.assertEqual(
            ["before", "new", "old", "False-True", "after", "before", "new", "old", "True-True", "after"], labels()
        )

    def test_may_stand_in_a_loop(self):
        """Each turn is asked by itself."""

        def turns(is_new):
            for number in range(3):
                if is_new and durable.patched("in turn"):
                    mark(f"new-{number}")
                mark(f"old-{number}")
                durable.receive(timeout=None)

        run(partial(turns, is_new=False), *[partial(turns, is_new=True)] * 3)

        self.assertEqual(["before", "old-0", "new-1", "old-1", "new-2", "old-2", "after"], labels())

    def test_is_not_gone_before_a_gather_that_has_begun(self):
        """Which leaves no row of its own: its branches tell."""

        def gathers(is_new):
            if is_new and durable.patched("before"):
                mark("new")
            durable.gather(partial(mark, "a"), partial(durable.receive, "", None))

        handle = run(partial(gathers, is_new=False), partial(gathers, is_new=True))

        self.assertEqual(("succeeded", ["before", "a", "after"]), (row(handle).status, labels()))

    def test_may_stand_in_a_branch(self):
        """Which is called again and again until it has ended."""

        def branch():
            found = durable.patched("in branch")
            durable.receive("x", None)
            return mark(f"x-{found}")

        def gathers():
            durable.gather(branch, partial(durable.receive, "", None))

        handle = run(gathers, gathers)
        with acting(gathers):
            durable.send(handle.id, 1, "x")
            run_until_idle()

        self.assertEqual(("succeeded", ["before", "x-True", "after"]), (row(handle).status, labels()))

    def test_is_undone_by_a_fork_from_before_it(self):
        """The fork is the first there."""
        with acting(old):
            handle = waiting(acts_itself)
        with acting(new):
            fork = row(handle).fork(from_step=2)
            run_until_idle()

        self.assertEqual(
            ["mark_atomically", "front", "mark", "mark", "receive"],
            list(fork.steps.order_by("position").values_list("name", flat=True)),
        )


class APatchOfAnAsyncWorkflow(TestCase):
    def test_is_awaited(self):
        """By apatched(); deprecate_patch() asks nobody and is called as it is."""

        async def told():
            await durable.areceive(timeout=None)

        async def before():
            await mark.acall("old")
            await told()

        async def after():
            if await durable.apatched("front"):
                await mark.acall("new")
            await before()

        async def at_last():
            durable.deprecate_patch("front")
            await mark.acall("new")
            await before()

        handles = [
            run(*releases, definition=acts_in_async) for releases in ((before, after), (after, after), (after, at_last))
        ]

        self.assertEqual(["succeeded"] * 3, [row(each).status for each in handles])
        self.assertEqual(["old"] + ["new", "old"] * 2, [each for each in labels() if each in {"old", "new"}])

    def test_is_refused_without(self):
        """It would hold up the event loop."""

        async def direct():
            return durable.patched("front")

        handle = run(direct, definition=acts_in_async)

        with self.assertRaisesMessage(OutsideWorkflow, "await apatched(...)"):
            handle.result()


class APatchElsewhere(TestCase):
    def test_is_refused(self):
        """Outside of workflows, and in steps."""
        for ask in (durable.patched, durable.apatched, durable.deprecate_patch):
            with self.assertRaises(OutsideWorkflow):
                ask("front")

        with acting(lambda: durable.patched("front")):
            handle = waiting(acts)
        with self.assertRaises(OutsideWorkflow):
            handle.result()

    def test_has_a_name(self):
        """Of a bounded length."""
        for wrong in ("", 7, None, "x" * 256):
            with self.subTest(wrong=wrong), self.assertRaisesMessage(ValueError, "name of a patch"):
                durable.patched(wrong)
