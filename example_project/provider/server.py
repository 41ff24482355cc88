"""The provider over HTTP: POST /charges, /refunds and /mails with JSON and an Idempotency-Key, GET /charges/<id>."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType

from example_project.provider.ledger import Ledger
from example_project.provider.service import Reply, Service
from example_project.provider.webhooks import Webhooks

HOST = "127.0.0.1"


class ProviderServer(ThreadingHTTPServer):
    """One thread per request, so that a late answer holds up nobody else. Closing it waits for those in flight."""

    daemon_threads = False
    #: Many workers may connect at once.
    request_queue_size = 128

    def __init__(self, service: Service, port: int = 0) -> None:
        self.service = service
        super().__init__((HOST, port), RequestHandler)

    @property
    def url(self) -> str:
        """The address, with the port that was taken."""
        return f"http://{HOST}:{self.server_address[1]}"

    def handle_error(self, _request: object, _client_address: object) -> None:
        """Stay quiet about clients that hung up before their answer came: that is what late answers are for."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(_request, _client_address)  # type: ignore[arg-type]


class RequestHandler(BaseHTTPRequestHandler):
    """Translate between HTTP and the service."""

    server: ProviderServer
    # Headers and body leave in two writes; without this the second waits for the client's delayed acknowledgement.
    disable_nagle_algorithm = True
    #: Seconds for a client to say what it wants.
    timeout = 5

    def do_POST(self) -> None:
        """Answer a charge or a refund."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            payload = dict(json.loads(body))
        except (ValueError, TypeError):
            self._send(Reply(400, {"error": "The body is not a JSON object."}))
            return
        self._send(self.server.service.answer(self.path, self.headers.get("Idempotency-Key", ""), payload))

    def do_GET(self) -> None:
        """Answer what has become of a charge."""
        self._send(self.server.service.look_up(self.path))

    def log_message(self, format: str, *_arguments: object) -> None:  # noqa: A002 - the name in http.server
        """Log nothing: the ledger tells everything."""

    def _send(self, reply: Reply) -> None:
        body = json.dumps(reply.body).encode()
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def run(*, port: int, ledger_path: Path, webhook_url: str, secret: str, announce: Callable[[str], object]) -> None:
    """Serve until interrupted or terminated; `announce` is told the address once connections are accepted."""
    signal.signal(signal.SIGTERM, _interrupt)
    stopping = threading.Event()
    with (
        suppress(KeyboardInterrupt),
        Ledger(ledger_path) as ledger,
        Webhooks(ledger, webhook_url, secret, stopping) as webhooks,
        ProviderServer(Service(ledger, webhooks.confirm, sleep=stopping.wait), port) as server,
    ):
        announce(server.url)
        try:
            server.serve_forever()
        finally:
            # Who is late needs not be late any more: the ledger is closed when all have answered.
            stopping.set()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
