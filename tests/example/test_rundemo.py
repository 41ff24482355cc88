"""`manage.py rundemo` leaves the whole shop running until Ctrl-C."""

import re
import signal
import socket
from http.cookiejar import CookieJar
from unittest import skipUnless
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, build_opener

from django.db import connection

from example_project.demo.processes import HOST, free_port
from tests.example.processes import CommandCase


@skipUnless(connection.vendor == "sqlite", "has a SQLite database of its own, whatever the suite runs on")
class TheShopOnThisMachine(CommandCase):
    def setUp(self):
        super().setUp()
        self.browser = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()))

    def test_everything_works_together(self):
        """Orders are paid, a verdict is carried out, a folder is counted, letters leave; the admin shows it all."""
        command = self.start("rundemo", "--port", "0")
        self.shop = self.wait_for_output(r"Shop +(http://\S+)/")[1]
        self.wait_for_output("228 orders imported")

        self.post("/orders/SO-1001/checkout/", self.get("/orders/SO-1001/"))

        self.wait_until(lambda: 'class="pill paid"' in self.get("/orders/SO-1001/"), "SO-1001 is paid")
        login = {"username": "demo", "password": "demo", "next": "/admin/durable_django/workflow/"}
        workflows = self.post("/admin/login/", self.get("/admin/login/"), **login)
        self.assertIn("order-SO-1001", workflows)

        self.wait_until(lambda: "waits for you" in self.get("/inbox/1/"), "the assistant has read the letter")
        self.post("/inbox/1/", self.get("/inbox/1/"), verdict="approve", note="")
        self.wait_until(lambda: 'class="pill answered"' in self.get("/inbox/1/"), "the letter is answered")

        report = self.post("/documents/count/", self.get("/documents/"))
        path = re.search(r'href="/admin/durable_django/workflow/([0-9a-f-]+)/change/"', report)[1]
        self.wait_until(lambda: "<tfoot>" in self.get(f"/documents/{path}/"), "the folder is counted")

        self.post("/mailing/choir/write/", self.get("/mailing/"), subject="News")
        self.wait_until(lambda: "0 waiting, 3 sent" in self.get("/mailing/choir/"), "the choir has its letters")

        command.send_signal(signal.SIGINT)

        self.assert_ends(command, code=0)
        self.assert_nothing_is_left()

    def test_taken_port(self):
        """If somebody has the port already, another one is taken."""
        with socket.socket() as taken:
            taken.bind((HOST, 0))
            taken.listen()
            port = taken.getsockname()[1]

            self.assertNotIn(free_port(port), (port, 0))

    def test_free_port(self):
        """A port that nobody has is taken as it is."""
        port = free_port(0)

        self.assertEqual(port, free_port(port))

    def get(self, path):
        with self.browser.open(self.shop + path) as response:
            return response.read().decode()

    def post(self, path, page, **fields):
        """Send a form of a page, and return the page that follows."""
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
        body = urlencode({"csrfmiddlewaretoken": token, **fields}).encode()
        with self.browser.open(self.shop + path, body) as response:
            return response.read().decode()
