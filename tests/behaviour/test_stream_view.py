"""The stream view: server-sent events, live, from any entry on, for those whom the project lets read them."""

import asyncio
import http.client
import json
from unittest import mock
from urllib.parse import urlsplit

from asgiref.sync import async_to_sync, sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.core.asgi import get_asgi_application
from django.core.exceptions import PermissionDenied
from django.db import connections
from django.db.backends.signals import connection_created
from django.test import AsyncClient, LiveServerTestCase, TestCase, TransactionTestCase, override_settings
from django.urls import NoReverseMatch, include, path, reverse

import durable_django as durable
from durable_django import InsideTransaction, views
from durable_django.api import readers
from durable_django.models import Workflow
from durable_django.testing import run_until_idle
from tests.behaviour.retaining import sweep
from tests.behaviour.support import elsewhere, waiting
from tests.sample import talking
from tests.sample.talking import streams

urlpatterns = [path("durable/", include("durable_django.urls"))]

END = "event: end\ndata: null\n\n"


class Door:
    """What the permission of these tests says, and what it was asked."""

    answer = True
    asked = []


def permission(request, workflow_id, key):
    Door.asked.append((request.method, workflow_id, key))
    if isinstance(Door.answer, Exception):
        raise Door.answer
    return Door.answer


async def apermission(request, workflow_id, key):
    return await Workflow.objects.filter(pk=workflow_id).aexists() and permission(request, workflow_id, key)


open_door = override_settings(
    ROOT_URLCONF=__name__, DURABLE_DJANGO={"STREAM_PERMISSION": f"{__name__}.permission", "NOTIFY": False}
)


def address(handle, key="k"):
    return reverse("durable_django:stream", args=[handle.id, key])


def tell(handle, value):
    """Let a workflow write a value, or end, on another connection."""

    def do():
        durable.send(handle.id, value)
        run_until_idle()

    elsewhere(do)


@override_settings(ROOT_URLCONF=__name__)
class WhoMayRead(TestCase):
    def setUp(self):
        self.handle = waiting(streams, "k", 1)
        Door.asked.clear()

    def status(self, answer=True, workflow_id=None):
        with mock.patch.object(Door, "answer", answer):
            url = reverse("durable_django:stream", args=[workflow_id or self.handle.id, "k"])
            return self.client.get(url).status_code

    def test_is_nobody_without_a_permission(self):
        """Closed by default, for everybody, and without a word about what exists."""
        self.assertEqual([403, 403], [self.status(), self.status(workflow_id="nobody")])

    @open_door
    def test_is_decided_by_the_callable_of_the_project(self):
        """It knows the request, the workflow and the key; what it says is taken as true or false."""
        found = [self.status(answer) for answer in (True, "yes", False, None, PermissionDenied())]

        self.assertEqual([200, 200, 403, 403, 403], found)
        self.assertEqual({("GET", self.handle.id, "k")}, set(Door.asked))

    @override_settings(
        DURABLE_DJANGO={"STREAM_PERMISSION": f"{__name__}.apermission", "NOTIFY": False},
    )
    def test_may_be_decided_by_an_async_callable(self):
        """What it says counts, not that it has yet to be awaited; under WSGI and ASGI."""
        for client in (self.client, AsyncClient()):
            get = client.get if client is self.client else async_to_sync(client.get)
            for answer, expected in ((False, 403), (True, 200)):
                with self.subTest(client=client, answer=answer), mock.patch.object(Door, "answer", answer):
                    self.assertEqual(expected, get(address(self.handle)).status_code)

    @open_door
    def test_is_decided_before_anything_is_looked_at(self):
        """Whether a workflow exists is told only to those who may read it."""
        self.assertEqual([404, 403], [self.status(answer, "nobody") for answer in (True, False)])

    @override_settings(DURABLE_DJANGO={"STREAM_PERMISSION": "nowhere.to_be.found"})
    def test_is_nobody_if_the_callable_is_missing(self):
        """The error is the project's, and shows nothing."""
        with self.assertRaises(ImportError):
            self.status()


@open_door
class AnAnswer(TestCase):
    def read(self, handle, key="k", **headers):
        answer = self.client.get(address(handle, key), headers=headers)
        return b"".join(answer.streaming_content).decode()

    def test_is_a_message_for_each_entry(self):
        """Its id is the offset, its data the stored value as JSON; then the end is said."""
        handle = waiting(streams, "k", "a", {"x": [1, None]})

        self.assertEqual(f'id: 0\ndata: "a"\n\nid: 1\ndata: {{"x":[1,null]}}\n\n{END}', self.read(handle))

    def test_is_for_browsers_and_proxies(self):
        """An event stream that nobody keeps."""
        answer = self.client.get(address(waiting(streams, "k")))

        self.assertEqual("text/event-stream", answer["Content-Type"])
        self.assertEqual(("no-cache", "no"), (answer["Cache-Control"], answer["X-Accel-Buffering"]))
        self.assertEqual(END, b"".join(answer.streaming_content).decode())

    def test_cannot_be_broken_by_a_value(self):
        """No line break gets through; what is read back is what was written."""
        values = ["a\n\nevent: end\ndata: x\n\n", "\r\r", "\u2028", "é\ud800", ["\0"]]
        handle = waiting(streams, "k", *values)

        messages = self.read(handle).removesuffix(END).strip("\n").split("\n\n")

        self.assertEqual(len(values), len(messages))
        self.assertEqual(values[:3], [json.loads(message.split("data: ", 1)[1]) for message in messages[:3]])

    def test_goes_on_behind_the_last_entry_that_the_browser_has(self):
        """Last-Event-ID; one that makes no sense counts as none, as the first time."""
        handle = waiting(streams, "k", 0, 1, 2)
        found = {
            last: self.read(handle, **{"Last-Event-ID": last}).count("id:")
            for last in ("0", "1", "2", "99", "", "x", "-1", "1.5", "\u0663", "9" * 30)
        }

        self.assertEqual(
            {"0": 2, "1": 1, "2": 0, "99": 0, "": 3, "x": 3, "-1": 3, "1.5": 3, "\u0663": 3, "9" * 30: 3}, found
        )

    def test_of_a_stream_that_does_not_exist_is_none(self):
        """404 for an unknown workflow, and for what can be no id; an unknown key is an empty stream."""
        handle = waiting(streams, "k", 1)
        found = [
            self.client.get(f"/durable/streams/{each}/k/").status_code for each in ("nobody", "x" * 300, "%00", "%20")
        ]

        self.assertEqual([404] * 4, found)
        self.assertEqual(END, self.read(handle, "other"))

    def test_of_a_stream_that_was_pruned_is_none(self):
        """404, not the end of a stream without entries."""
        handle = waiting(streams, "k", 1)
        sweep(days=31)

        self.assertEqual(404, self.client.get(address(handle, "k")).status_code)

    def test_is_only_for_reading(self):
        """Other methods are refused."""
        handle = waiting(streams, "k", 1)

        self.assertEqual(405, self.client.post(address(handle)).status_code)

    def test_has_an_address_for_every_id(self):
        """With slashes, blanks and whatever else; a key must do without a slash."""
        for workflow_id in ("a/b", "a b?#%", "\U0001f600", "schedule:x:2030-01-01T00:00:00+00:00"):
            handle = streams.using(id=workflow_id).start("k ?#%", 1)
            run_until_idle()
            with self.subTest(workflow_id=workflow_id):
                self.assertEqual(f"id: 0\ndata: 1\n\n{END}", self.read(handle, "k ?#%"))
        with self.assertRaises(NoReverseMatch):
            address(handle, "a/b")

    def test_never_waits_in_the_transaction_of_a_test(self):
        """What it waits for could not happen: the error says what to do."""
        handle = waiting(talking.streams_when_told, "k")
        answer = self.client.get(address(handle))

        with self.assertRaisesMessage(InsideTransaction, "run_until_idle()"):
            b"".join(answer.streaming_content)

    def test_in_async_code_is_the_same(self):
        """Under ASGI the body is an async one."""
        handle = waiting(streams, "k", 1)

        async def read():
            answer = await AsyncClient().get(address(handle))
            return b"".join([each async for each in answer.streaming_content]).decode()

        self.assertEqual(f"id: 0\ndata: 1\n\n{END}", async_to_sync(read)())


@open_door
class AnAnswerThatTakesItsTime(TransactionTestCase):
    def setUp(self):
        self.handle = waiting(talking.streams_when_told, "k")

    def read(self, *values, last="end"):
        """Return the parts of an answer, telling the workflow a value, and at last the end, behind each."""
        todo = [*values, last]
        answer = self.client.get(address(self.handle))
        found = []
        tell(self.handle, todo.pop(0))
        for part in answer.streaming_content:
            found.append(part.decode())
            if todo:
                tell(self.handle, todo.pop(0))
        return found

    def test_is_sent_as_it_comes(self):
        """Each entry before the next one exists."""
        found = self.read("a", "b")

        self.assertEqual(['id: 0\ndata: "a"\n\n', 'id: 1\ndata: "b"\n\n', END], found)

    def test_is_sent_outside_the_transaction_of_the_view(self):
        """Under ATOMIC_REQUESTS, too, the view waits behind the block, not in it."""
        with mock.patch.dict(connections.settings["default"], ATOMIC_REQUESTS=True):
            found = self.read("a")

        self.assertEqual(['id: 0\ndata: "a"\n\n', END], found)

    def test_says_now_and_then_that_nothing_is_new(self):
        """A comment, which browsers drop, keeps the connection."""
        with mock.patch.object(views, "_QUIET_SECONDS", 0.0):
            answer = self.client.get(address(self.handle))
            first = next(iter(answer.streaming_content))
            answer.close()

        self.assertEqual(b": nothing new\n\n", first)

    def test_ends_when_the_row_is_deleted(self):
        """E18: nothing more can come."""
        answer = iter(self.client.get(address(self.handle)).streaming_content)
        tell(self.handle, "a")
        first = next(answer)
        Workflow._base_manager.all().delete()

        self.assertEqual((b'id: 0\ndata: "a"\n\n', [END.encode()]), (first, list(answer)))


@open_door
class ABrowser(LiveServerTestCase):
    def connect(self, handle, **headers):
        """Ask for a stream over HTTP. Return the connection, and the lines of the answer as they come."""
        browser = http.client.HTTPConnection(urlsplit(self.live_server_url).netloc, timeout=30)
        browser.request("GET", address(handle), headers=headers)
        return browser, browser.getresponse()

    def message(self, answer):
        """Return the next message of the answer."""
        lines = iter(lambda: answer.readline().decode().strip(), "")
        return dict(line.split(": ", 1) for line in lines)

    def test_that_lost_the_connection_misses_and_repeats_nothing(self):
        """It comes back with the last id that it has seen."""
        handle = waiting(talking.streams_when_told, "k")
        tell(handle, "a")
        browser, answer = self.connect(handle)
        found = [self.message(answer)]
        browser.close()
        tell(handle, "b")
        browser, answer = self.connect(handle, **{"Last-Event-ID": found[-1]["id"]})
        found.append(self.message(answer))
        tell(handle, "c")
        found.append(self.message(answer))
        tell(handle, "end")
        end = self.message(answer)
        browser.close()

        self.assertEqual([("0", '"a"'), ("1", '"b"'), ("2", '"c"')], [(each["id"], each["data"]) for each in found])
        self.assertEqual("end", end["event"])


@open_door
class ABrowserUnderAsgi(TransactionTestCase):
    async def connect(self, handle):
        """Ask a real ASGI application for a stream."""
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "path": address(handle),
            "query_string": b"",
            "headers": [(b"host", b"testserver")],
        }
        browser = ApplicationCommunicator(get_asgi_application(), scope)
        await browser.send_input({"type": "http.request", "body": b""})
        start = await browser.receive_output(timeout=10)
        self.assertEqual(200, start["status"])
        return browser

    async def body(self, browser):
        while not (body := (await browser.receive_output(timeout=10))["body"]):
            pass
        return body.decode()

    def test_gets_entries_as_they_come(self):
        """Thirty read at the same time, and nobody waits for a thread that another one holds."""
        handle = waiting(talking.streams_when_told, "k")

        async def follow():
            browsers = [await self.connect(handle) for _ in range(30)]
            await sync_to_async(tell)(handle, "a")
            first = await asyncio.gather(*(self.body(browser) for browser in browsers))
            await sync_to_async(tell)(handle, "end")
            last = await asyncio.gather(*(self.body(browser) for browser in browsers))
            for browser in browsers:
                await browser.wait(timeout=10)
            return set(first), set(last)

        self.assertEqual(({'id: 0\ndata: "a"\n\n'}, {END}), async_to_sync(follow)())

    def test_keeps_no_connection_to_the_database(self):
        """What the request has opened until the stream begins is closed; those who look for all are few."""
        handle = waiting(talking.streams_when_told, "k")
        opened = set()

        def notice(connection, **_facts):
            opened.add(connection)

        async def follow():
            browsers = [await self.connect(handle) for _ in range(12)]
            await sync_to_async(tell)(handle, "a")
            await asyncio.gather(*(self.body(browser) for browser in browsers))
            left = [each for each in opened if each.connection is not None]
            await sync_to_async(tell)(handle, "end")
            await asyncio.gather(*(browser.wait(timeout=10) for browser in browsers))
            return len(left)

        connection_created.connect(notice)
        self.addCleanup(connection_created.disconnect, notice)

        self.assertLessEqual(async_to_sync(follow)(), readers.SIZE)
        self.assertGreaterEqual(len(opened), 12)

    def test_that_goes_away_is_followed_no_longer(self):
        """The answer is cancelled, though the stream is open."""
        handle = waiting(talking.streams_when_told, "k")

        async def follow():
            browser = await self.connect(handle)
            await sync_to_async(tell)(handle, "a")
            await self.body(browser)
            await browser.send_input({"type": "http.disconnect"})
            await browser.wait(timeout=10)
            return browser.future.done()

        self.assertTrue(async_to_sync(follow)())
