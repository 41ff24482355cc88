"""
A proxy between a worker and PostgreSQL that knows where a message ends, and can hurt the connection just there.

    with Proxy(folder) as proxy:
        proxy.on("^COMMIT", after=Session.cut)        # the server has executed it, the answer is lost
        proxy.freeze()                                # a network that swallows everything for a while

Source: PostgreSQL's documentation, "Frontend/Backend Protocol", "Message Formats".
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote

from django.db import connection

PORT = 5432
_CHUNK = 65536
_GLANCE_SECONDS = 0.05


@dataclass(eq=False)
class Trap:
    """What happens, once, when statements that match the patterns have passed by, one after the other in a session."""

    patterns: tuple[str, ...]
    before: Callable[[Session], object] | None
    after: Callable[[Session], object] | None
    sprung: threading.Event
    session: Session | None = None


class Proxy:
    """Listens at a socket in `folder`, and passes on to the server of the test database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sessions: list[Session] = []
        self.flowing = threading.Event()
        self.flowing.set()
        self._traps: list[Trap] = []
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / f".s.PGSQL.{PORT}"))
        self._listener.listen(64)
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.flowing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for session in self.sessions:
            session.cut()
            session.thread.join()

    @property
    def environment(self) -> dict[str, str]:
        """What a process must know to reach the test database through here."""
        settings = connection.settings_dict
        user = f"{quote(settings['USER'])}:{quote(settings['PASSWORD'])}"
        return {"DURABLE_TEST_DATABASE_URL": f"postgresql://{user}@/postgres?host={self.folder}&port={PORT}"}

    def on(
        self,
        *patterns: str,
        before: Callable[[Session], object] | None = None,
        after: Callable[[Session], object] | None = None,
    ) -> threading.Event:
        """
        Do something to the first session whose statements match. Return an event that is set then.

        patterns  of the statement; of several, the earlier ones must have come before it in the same session
        before    the server has not seen the statement
        after     the server has executed it, the client has not seen the answer
        """
        trap = Trap(patterns, before, after, threading.Event())
        self._traps.append(trap)
        return trap.sprung

    def freeze(self) -> None:
        """Pass nothing on, in no session, until thaw(): then what has piled up arrives."""
        self.flowing.clear()

    def thaw(self) -> None:
        self.flowing.set()

    def trap_for(self, sql: str, session: Session) -> Trap | None:
        """Return the trap into which the statement runs."""
        with self._lock:
            for trap in self._traps:
                if trap.session in {None, session} and re.search(trap.patterns[0], sql):
                    trap.session, trap.patterns = session, trap.patterns[1:]
                    if trap.patterns:
                        return None
                    self._traps.remove(trap)
                    return trap
            return None

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            try:
                self.sessions.append(Session(self, client, _connect()))
            except OSError:
                # The server is away: so is the proxy.
                client.close()


def _connect() -> socket.socket:
    host, port = connection.settings_dict["HOST"], connection.settings_dict["PORT"] or PORT
    if not host.startswith("/"):
        return socket.create_connection((host, int(port)))
    server = socket.socket(socket.AF_UNIX)
    server.connect(f"{host}/.s.PGSQL.{port}")
    return server


class Session:
    """One connection, in a thread of its own."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self.proxy = proxy
        self.client = client
        self.server = server
        self._asked = Messages(has_startup=True)
        self._answered = Messages()
        self._statements: dict[str, str] = {}
        self._trap: Trap | None = None
        self._held = b""
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def cut(self) -> None:
        """Close both sides: each sees the other go without a word."""
        for side in (self.client, self.server):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        with contextlib.suppress(OSError), self.client, self.server:
            while True:
                ready, _writable, _failed = select.select([self.client, self.server], [], [], _GLANCE_SECONDS)
                self.proxy.flowing.wait()
                for side in ready:
                    self._pass_on(side)

    def _pass_on(self, side: socket.socket) -> None:
        received = side.recv(_CHUNK)
        if not received:
            self.cut()
            raise ConnectionResetError
        if side is self.client:
            for message in self._asked.complete(received):
                self._ask(message)
        else:
            for message in self._answered.complete(received):
                self._answer(message)

    def _ask(self, message: bytes) -> None:
        sql = self._statement(message)
        trap = self.proxy.trap_for(sql, self) if sql else None
        if trap and trap.before:
            trap.before(self)
            trap.sprung.set()
        elif trap:
            self._trap = trap
        self.proxy.flowing.wait()
        self.server.sendall(message)

    def _answer(self, message: bytes) -> None:
        """Pass an answer on; the whole answer to a trapped statement, up to ReadyForQuery, is held back first."""
        self._held += message
        if self._trap is not None:
            if message[:1] != b"Z":
                return
            trap, self._trap = self._trap, None
            assert trap.after is not None
            trap.after(self)
            trap.sprung.set()
        held, self._held = self._held, b""
        self.client.sendall(held)

    def _statement(self, message: bytes) -> str:
        """Return the text of the statement that the message executes, by itself or as it was prepared."""
        kind, words = message[:1], message[5:].split(b"\0", 2)
        if kind == b"Q":
            return words[0].decode()
        if kind == b"P":
            self._statements[words[0].decode()] = words[1].decode()
        return self._statements.get(words[1].decode(), "") if kind == b"B" else ""


class Messages:
    """Puts the messages of one direction together from what the socket delivers."""

    def __init__(self, *, has_startup: bool = False) -> None:
        self._received = b""
        #: The first message of a client has a length but no type.
        self._offset = 0 if has_startup else 1

    def complete(self, received: bytes) -> Iterator[bytes]:
        """Yield the messages that are now there as a whole."""
        self._received += received
        while len(self._received) >= self._offset + 4:
            length = self._offset + int.from_bytes(self._received[self._offset : self._offset + 4])
            if len(self._received) < length:
                return
            message, self._received, self._offset = self._received[:length], self._received[length:], 1
            yield message


def killer(pid: int) -> Callable[[Session], None]:
    """Return what kills a process when a trap springs, and then cuts its session."""

    def kill(session: Session) -> None:
        os.kill(pid, signal.SIGKILL)
        session.cut()

    return kill
