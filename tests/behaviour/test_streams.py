"""Streams: values in order, without gaps, read live from any of them on, until the stream or its workflow ends."""

import time
from datetime import timedelta

from asgiref.sync import async_to_sync, sync_to_async
from django.db import connections, transaction
from django.test import TestCase, TransactionTestCase

import durable_django as durable
from durable_django import InsideTransaction, OutsideWorkflow, StreamClosed, StreamTimeout, WorkflowNotFound
from durable_django.api.streams import StreamReader
from durable_django.models import StreamEntry, Workflow
from durable_django.models.stream import BATCH
from durable_django.testing import crash_after, run_until_idle, travel
from tests.behaviour.states import ENDED, workflow_in
from tests.behaviour.support import acting, elsewhere, row, statements, steps, waiting
from tests.sample import talking
from tests.sample.promises import act, acts, acts_atomically, acts_itself
from tests.sample.talking import calls, streams


def entries(handle, key="k"):
    """Return offset, place and stored value of a stream's entries."""
    rows = StreamEntry.objects.filter(workflow=handle.id, key=key).order_by("offset")
    return list(rows.values_list("offset", "position", "value"))


def read(handle, key="k", offset=0, **options):
    """Return what a reader gets that has all the time it needs."""
    return list(durable.read_stream(handle.id, key, offset, **options))


def stream_of(*values):
    """Return an ended workflow that has streamed these values in one call."""
    with acting(lambda: durable.write_stream("k", *values)):
        return waiting(acts_itself)


async def gathered(values):
    return [value async for value in values]


class AStream(TestCase):
    def test_yields_what_was_written(self):
        """In order, in type and content; None is a value like any other."""
        values = [1, None, {"x": (1, {2})}, "\0\n\r\ud800", [None], float("inf")]
        handle = stream_of(*values)

        self.assertEqual(values, read(handle))

    def test_counts_from_zero_for_each_key(self):
        """Without gaps, over all calls of all steps."""
        with acting(
            lambda: [durable.write_stream(key, *range(count)) for key, count in (("a", 2), ("b", 1), ("a", 2))]
        ):
            handle = waiting(acts_itself)

        self.assertEqual([(0, 2), (1, 2), (2, 4), (3, 4)], [each[:2] for each in entries(handle, "a")])
        self.assertEqual([(0, 3, "0")], entries(handle, "b"))

    def test_is_read_from_any_entry_on(self):
        """An offset behind the end yields what comes later, hence nothing of an ended workflow."""
        handle = stream_of("a", "b", "c")

        self.assertEqual([["b", "c"], ["c"], [], []], [read(handle, offset=offset) for offset in (1, 2, 3, 99)])

    def test_is_read_in_batches(self):
        """However long it is, a reader holds only a part of it."""
        handle = stream_of(*range(2 * BATCH + 1))

        with statements() as seen:
            found = read(handle)

        self.assertEqual(list(range(2 * BATCH + 1)), found)
        self.assertLessEqual(len(seen), 8)

    def test_that_was_never_written_is_empty(self):
        """When its workflow has ended, however it did."""
        for state in ENDED:
            with self.subTest(state=state):
                self.assertEqual([], read(workflow_in(state), "nothing"))

    def test_is_written_once_from_a_workflow(self):
        """A replay writes nothing again."""
        with acting(lambda: [durable.write_stream("k", 1, 2), durable.sleep(60), durable.write_stream("k", 3)]):
            handle = waiting(acts_itself)
            with travel(seconds=61):
                run_until_idle()

        self.assertEqual(([1, 2, 3], "succeeded"), (read(handle), row(handle).status))

    def test_of_a_plain_step_that_runs_again_has_neither_gaps_nor_others_offsets(self):
        """At least once: what it had written stays, and it writes behind that."""
        handle = acts.start()
        with acting(lambda: durable.write_stream("k", 1, 2)):
            with crash_after(act, recorded=False):
                run_until_idle()
            run_until_idle()

        self.assertEqual([(0, 2, "1"), (1, 2, "2"), (2, 2, "1"), (3, 2, "2")], entries(handle))

    def test_of_an_atomic_step_is_part_of_its_transaction(self):
        """A body that fails has written nothing, and leaves no gap."""

        def write(*, is_good):
            durable.write_stream("k", 1)
            if not is_good:
                raise LookupError

        with acting(lambda: write(is_good=False)):
            failed = waiting(acts_atomically)
        row(failed).resume()
        with acting(lambda: write(is_good=True)):
            run_until_idle()

        self.assertEqual(([(0, 2, "1")], "succeeded"), (entries(failed), row(failed).status))

    def test_in_async_code_is_the_same(self):
        """awrite_stream(), aclose_stream() and aread_stream()."""
        handle = waiting(talking.streams_async, "k", 1, 2)

        found = async_to_sync(gathered)(durable.aread_stream(handle.id, "k", 1))

        self.assertEqual(([2], "succeeded"), (found, row(handle).status))

    def test_with_bad_parts_is_refused(self):
        """Keys and values before anything is written; offsets and ids before anything is read."""
        for kind, key, value in (
            (ValueError, "", 1),
            (ValueError, "x" * 256, 1),
            (ValueError, "a\nb", 1),
            (TypeError, 5, 1),
            (durable.NotSerializable, "k", lambda: 1),
        ):
            with acting(lambda key=key, value=value: durable.write_stream(key, 0, value)):
                handle = waiting(acts_itself)
            with self.subTest(key=str(key)[:20]), self.assertRaises(kind):
                handle.result()
        for offset in (-1, 0.5, "1", None, True, 2**63):
            for reader in (durable.read_stream, durable.aread_stream):
                with self.subTest(offset=offset), self.assertRaises(ValueError):
                    reader("order-7", "k", offset)

        self.assertEqual(0, StreamEntry.objects.count())

    def test_may_have_a_long_key(self):
        """255 characters of four bytes each."""
        key = "\U0001f600" * 255
        handle = waiting(streams, key, 1)

        self.assertEqual([1], read(handle, key))

    def test_without_values_is_no_call(self):
        """write_stream(key) writes nothing, and takes no place."""
        with acting(lambda: durable.write_stream("k")):
            handle = waiting(acts_itself)

        self.assertEqual(["mark_atomically", "mark"], steps(handle))


class AStreamThatIsClosed(TestCase):
    def test_comes_to_an_end(self):
        """For its readers, though the workflow goes on; other streams stay open."""
        with acting(lambda: [durable.write_stream("k", 1), durable.close_stream("k"), durable.sleep(60)]):
            handle = waiting(acts_itself)

        self.assertEqual(([1], "waiting"), (read(handle), row(handle).status))
        with self.assertRaises(StreamTimeout):
            read(handle, "other", timeout=0)

    def test_takes_nothing_more(self):
        """StreamClosed, from the workflow and from a step; closing it twice is fine."""
        write = [
            lambda: durable.close_stream("k"),
            lambda: durable.close_stream("k"),
            lambda: durable.write_stream("k", 1),
        ]
        for definition in (acts_itself, acts, acts_atomically):
            with acting(lambda: calls(*write)):
                handle = waiting(definition)
            with self.subTest(definition=definition.name):
                self.assertEqual([type(None), type(None), StreamClosed], [type(each) for each in handle.result()])
                self.assertEqual([], read(handle))

    def test_by_the_end_of_its_workflow(self):
        """Cancelled ones, too."""
        handle = waiting(talking.streams_when_told, "k")
        durable.send(handle.id, "a")
        run_until_idle()
        row(handle).cancel()

        self.assertEqual(["a"], read(handle))


class AReader(TransactionTestCase):
    def test_follows_a_stream_live(self):
        """It gets each entry while the workflow waits for the next one."""
        handle = waiting(talking.streams_when_told, "k")
        found = []
        for value in durable.read_stream(handle.id, "k", timeout=30) if self.tell(handle, 0) else ():
            found.append(value)
            self.tell(handle, value + 1 if value < 3 else "end")

        self.assertEqual([0, 1, 2, 3], found)

    def test_follows_a_stream_live_in_async_code(self):
        """aread_stream() holds up nobody, and leaves no connection behind."""
        handle = waiting(talking.streams_when_told, "k")
        self.tell(handle, 0)

        async def follow():
            found = []
            async for value in durable.aread_stream(handle.id, "k", timeout=30):
                found.append(value)
                await sync_to_async(self.tell)(handle, value + 1 if value < 3 else "end")
            return found

        self.assertEqual([0, 1, 2, 3], async_to_sync(follow)())

    def tell(self, handle, value):
        def do():
            durable.send(handle.id, value)
            run_until_idle()

        elsewhere(do)
        return True

    def test_gives_up_after_a_silence(self):
        """The time counts from the last entry; the stream is still open."""
        handle = waiting(talking.streams_when_told, "k")
        self.tell(handle, "a")
        found = []

        began = time.monotonic()
        with self.assertRaisesMessage(StreamTimeout, f"stream 'k' of workflow {handle.id!r} within 0.05 s"):
            found.extend(durable.read_stream(handle.id, "k", timeout=timedelta(seconds=0.05)))
        with self.assertRaises(StreamTimeout):
            read(handle, offset=1, timeout=0)

        self.assertTrue(0.05 <= time.monotonic() - began < 30)

    def test_of_an_unknown_workflow_hears_so(self):
        """Also of one whose row is deleted while it is read; E18."""
        handle = waiting(talking.streams_when_told, "k")
        with self.assertRaises(WorkflowNotFound):
            list(durable.read_stream("nobody", "k"))
        self.tell(handle, "a")
        reading = durable.read_stream(handle.id, "k")
        first = next(reading)
        Workflow._base_manager.filter(pk=handle.id).delete()

        self.assertEqual("a", first)
        with self.assertRaises(WorkflowNotFound):
            next(reading)

    def test_looks_less_often_in_silence(self):
        """At first every few milliseconds, in the end four times a second."""
        handle = waiting(talking.streams_when_told, "k")
        reader = StreamReader(handle.id, "k", 0, None)
        pauses = []
        for _ in range(20):
            reader.look()
            pauses.append(reader.pause)
        reader.seen_at -= 60
        for _ in range(20):
            reader.look()
        self.tell(handle, "a")
        late = reader.pause
        reader.look()

        self.assertEqual((0.005, 0.02, 0.25, 0.0), (pauses[0], pauses[-1], late, reader.pause))

    def test_is_refused_in_a_workflow(self):
        """What comes when is not recorded; a step may read."""
        handle = stream_of(1)
        for definition, expected in ((acts_itself, OutsideWorkflow), (acts, list)):
            with acting(lambda: calls(lambda: read(handle))):
                other = waiting(definition)
            with self.subTest(definition=definition.name):
                self.assertIsInstance(other.result()[0], expected)

    def test_is_refused_inside_a_transaction(self):
        """When it would have to wait; what is there can be read."""
        handle = waiting(talking.streams_when_told, "k")
        self.tell(handle, "a")
        found = []
        with transaction.atomic(), self.assertRaises(InsideTransaction):
            for value in durable.read_stream(handle.id, "k"):
                found.append(value)  # noqa: PERF402 - what came before the error counts

        self.assertEqual(["a"], found)

    def test_leaves_no_connection_open(self):
        """One that reads in another thread has closed it when it is done."""
        handle = stream_of(1)

        async def follow():
            return await gathered(durable.aread_stream(handle.id, "k"))

        found = async_to_sync(follow)()

        self.assertEqual([1], found)
        self.assertEqual(1, len(connections.all(initialized_only=True)))


class OutsideOfAWorkflow(TestCase):
    def test_nothing_is_written(self):
        """Only a workflow and its steps write to its streams."""
        for write in (lambda: durable.write_stream("k", 1), lambda: durable.close_stream("k")):
            with self.assertRaisesMessage(OutsideWorkflow, "write_stream() can only be used inside a workflow"):
                write()
