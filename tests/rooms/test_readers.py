"""api/readers.py: a few threads look for all async readers, and keep their connections while anybody reads."""

import asyncio
import sqlite3
import threading

import psycopg
from asgiref.sync import async_to_sync
from django.db import DatabaseError, connection
from django.test import TestCase, TransactionTestCase

from durable_django.api import readers
from durable_django.models import Workflow
from tests.behaviour.support import eventually


def look():
    """Return the thread and the connection to the database that a look has."""
    Workflow.objects.exists()
    return threading.current_thread().name, id(connection.connection)


#: What the drivers say to a closed connection.
CLOSED = (sqlite3.ProgrammingError, psycopg.OperationalError)


class ReadersTestCase(TransactionTestCase):
    def setUp(self):
        self.readers = readers.Readers()

    def read(self, *acts, times=1):
        """Let a reader for each act, all at the same time, do it so often. Return what came of them."""

        async def one(act):
            async with self.readers.reading() as in_thread:
                return [await in_thread(act) for _ in range(times)]

        async def everybody():
            return await asyncio.gather(*(one(act) for act in acts), return_exceptions=True)

        return async_to_sync(everybody)()

    def threads(self):
        return [thread for thread in threading.enumerate() if thread.name.startswith("durable-reader")]


class Readers(ReadersTestCase):
    def test_share_a_few_threads(self):
        """However many read, and however often they look; a thread keeps its connection."""
        found = self.read(*[look] * 30, times=5)

        looks = {each for of_one in found for each in of_one}
        self.assertEqual(readers.SIZE, len(looks))
        self.assertEqual(readers.SIZE, len({name for name, _connection in looks}))

    def test_leave_nothing_behind(self):
        """With the last one threads and connections end; the next one begins anew."""
        for _ in range(2):
            self.read(look)
            eventually(lambda: not self.threads(), "the threads have ended")

    def test_get_another_connection_after_an_error(self):
        """Whatever it was: the old one may be broken."""
        closed = []

        def fail():
            Workflow.objects.exists()
            closed.append(connection.connection)
            raise DatabaseError

        (error,) = self.read(fail)

        self.assertIsInstance(error, DatabaseError)
        with self.assertRaises(CLOSED):
            closed[0].execute("SELECT 1")


class ReadersInATestCase(TestCase):
    def test_look_in_the_thread_of_the_test(self):
        """Nobody else sees its rows."""

        async def read():
            async with readers.Readers().reading() as in_thread:
                return await in_thread(look)

        self.assertEqual((threading.current_thread().name, id(connection.connection)), async_to_sync(read)())
