"""The progress of an order is published by its workflow, and followed by its page."""

import json
import re

from django.contrib.auth import get_user_model
from django.contrib.staticfiles import finders
from django.urls import reverse

from durable_django import get_event
from durable_django.testing import run_until_idle
from example_project.inbox.mailbox import fetch_letters
from example_project.inbox.models import Letter
from example_project.shop.ordering import start_checkout
from tests.example.shop import NEWS_OF_PAID_ORDER, ShopCase

#: What a content security policy without 'unsafe-inline' lets no browser do.
INLINE = re.compile(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|javascript:|=\"data:", re.IGNORECASE)


class ProgressCase(ShopCase):
    def stream(self, key="progress", workflow_id="order-SO-1", **headers):
        return self.client.get(reverse("durable_django:stream", args=[workflow_id, key]), headers=headers)

    def events_of(self, response):
        """Return what the browser gets of a stream: each entry with its id, and the names of other events."""
        text = b"".join(response.streaming_content).decode()
        entries = re.findall(r"(?m)^id: (\d+)\ndata: (.*)$", text)
        others = re.findall(r"(?m)^event: (\w+)", text)
        return [(int(number), json.loads(value)) for number, value in entries], others


class WhatTheWorkflowTells(ShopCase):
    def test_latest_news(self):
        """The event holds the latest news, also while the workflow waits."""
        order = self.order()
        start_checkout(order)

        run_until_idle()

        self.assertEqual("The bank decides about the payment.", get_event(order.workflow_id, "progress"))
        self.work()
        self.assertEqual("The customer knows.", get_event(order.workflow_id, "progress"))

    def test_undone_order(self):
        """Of an order that is undone the news say why, and what became of the money."""
        order = self.order(country="AQ")

        self.check_out(order)

        self.assertEqual(["No carrier goes to AQ.", "The payment was given back."], self.news_of(order)[-2:])

    def test_order_that_was_not_charged(self):
        """Of an order that never came to the bank the news say that nothing was charged."""
        order = self.order(quantity=601)

        self.check_out(order)

        self.assertEqual(["Fewer than 601 of MUG-01 are in stock.", "Nothing was charged."], self.news_of(order))


class WhatABrowserGets(ProgressCase):
    def setUp(self):
        super().setUp()
        self.check_out(self.order())

    def test_whole_stream(self):
        """All news in order, then that there is no more."""
        response = self.stream()

        self.assertEqual("text/event-stream", response["Content-Type"])
        self.assertEqual((list(enumerate(NEWS_OF_PAID_ORDER)), ["end"]), self.events_of(response))

    def test_after_a_lost_connection(self):
        """A browser that has some of the news gets the others."""
        entries, _ = self.events_of(self.stream(**{"Last-Event-ID": "2"}))

        self.assertEqual(NEWS_OF_PAID_ORDER[3:], [news for _, news in entries])

    def test_other_streams(self):
        """Nobody may read another stream, that of another workflow, or that of an order that does not exist."""
        fetch_letters()
        letter = Letter.objects.first()

        for key, workflow_id in [("log", "order-SO-1"), ("progress", letter.workflow_id), ("progress", "order-SO-2")]:
            with self.subTest(key, workflow_id=workflow_id):
                self.assertEqual(403, self.stream(key, workflow_id).status_code)

    def test_order_without_checkout(self):
        """There is nothing to follow before the checkout has begun."""
        self.order("SO-2")

        self.assertEqual(404, self.stream(workflow_id="order-SO-2").status_code)


class ThePage(ProgressCase):
    def test_before_the_checkout(self):
        """Without a workflow there is nothing to follow."""
        order = self.order()

        self.assertNotContains(self.page_of(order), "data-stream")

    def test_during_the_checkout(self):
        """The page shows the latest news, and says which stream its script is to follow."""
        order = self.order()
        start_checkout(order)
        run_until_idle()

        response = self.page_of(order)

        self.assertContains(response, "<li>The bank decides about the payment.</li>")
        self.assertContains(response, 'data-stream="/durable/streams/order-SO-1/progress/" data-live')
        self.assertContains(response, 'src="/static/shop/progress.js"')
        self.assertIsNotNone(finders.find("shop/progress.js"))

    def test_after_the_checkout(self):
        """The news can still be read; the end of the stream brings nothing new to the page."""
        order = self.order()
        self.check_out(order)

        response = self.page_of(order)

        self.assertContains(response, "<li>The customer knows.</li>")
        self.assertNotContains(response, "data-live")

    def test_parts(self):
        """What changes during the checkout is marked for the script, which takes it from the page anew."""
        order = self.order()
        self.check_out(order)

        parts = re.findall(r'data-part="(\w+)"', self.page_of(order).content.decode())

        self.assertEqual(["state", "reason", "goods", "workflow"], parts)

    def page_of(self, order):
        return self.client.get(reverse("shop:order", args=[order.number]))


class NothingInline(ShopCase):
    def test_all_pages(self):
        """The pages work under a content security policy that allows no script and no style but those of files."""
        self.client.force_login(get_user_model().objects.create_superuser("demo", password="demo"))
        self.check_out(self.order())
        fetch_letters()
        self.client.post("/documents/count/")
        run_until_idle()
        letter = reverse("inbox:letter", args=[Letter.objects.first().pk])
        report = self.client.get("/documents/").context["counts"][0].pk

        for path in ("/", "/orders/SO-1/", "/inbox/", letter, "/documents/", f"/documents/{report}/"):
            with self.subTest(path):
                self.assertNotRegex(self.client.get(path).content.decode(), INLINE)
