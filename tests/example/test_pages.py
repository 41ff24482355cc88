"""The shop's page lists orders with their workflows and starts what is pending."""

from django.test import TestCase, override_settings
from django.urls import reverse

from durable_django.models import Workflow
from example_project.shop.catalogue import load_products
from example_project.shop.importing import import_orders
from example_project.shop.models import Order
from example_project.shop.ordering import start_checkout, start_pending_checkouts


@override_settings(ROOT_URLCONF="example_project.urls")
class PageCase(TestCase):
    @classmethod
    def setUpTestData(cls):
        load_products()
        import_orders()


class TheListOfOrders(PageCase):
    def test_queries(self):
        """However many orders there are, the page takes two queries."""
        with self.assertNumQueries(2):
            response = self.client.get("/")

        self.assertContains(response, "SO-1001")
        self.assertContains(response, "page 1 of 10")

    def test_pages(self):
        """Another page shows other orders; a page that does not exist shows the last."""
        self.assertContains(self.client.get("/", {"page": 2}), "SO-1026")
        self.assertContains(self.client.get("/", {"page": 99}), "SO-1228")

    def test_workflow(self):
        """An order in checkout shows the status of its workflow and links to its page in the admin."""
        start_checkout(Order.objects.get(number="SO-1001"))

        response = self.client.get("/")

        self.assertContains(response, reverse("admin:durable_django_workflow_change", args=["order-SO-1001"]))
        self.assertContains(response, ">queued</a>", count=1)

    def test_filter_by_state(self):
        """The list can be narrowed to one state; an unknown one shows nothing."""
        Order.objects.filter(number="SO-1007").update(state=Order.State.PAID)

        self.assertContains(self.client.get("/", {"state": "paid"}), "<td>SO-", count=1)
        self.assertContains(self.client.get("/", {"state": "lost"}), "No orders.")

    def test_text_is_escaped(self):
        """Whatever customers call themselves is shown as text."""
        Order.objects.filter(number="SO-1001").update(customer="<script>alert(1)</script>")

        self.assertContains(self.client.get("/"), "&lt;script&gt;alert(1)&lt;/script&gt;")


class TheButtons(PageCase):
    def test_import(self):
        """Importing tells what was imported and which lines were left out."""
        response = self.client.post("/import/", follow=True)

        self.assertContains(response, "0 orders imported, 228 were known already.")
        self.assertContains(response, "Line 59: 9 columns where 10 are expected")

    def test_checkout(self):
        """Every pending order gets one workflow and is pending no more."""
        response = self.client.post("/checkout/", follow=True)

        self.assertContains(response, "228 checkouts started.")
        self.assertEqual(228, Workflow.objects.filter(pk__startswith="order-").count())
        self.assertFalse(Order.objects.imported().exists())

    def test_second_click(self):
        """A second click starts nothing."""
        start_pending_checkouts()

        self.assertContains(self.client.post("/checkout/", follow=True), "0 checkouts started.")

    def test_looking_changes_nothing(self):
        """What changes something wants a POST."""
        for path in ("/import/", "/checkout/"):
            self.assertEqual(405, self.client.get(path).status_code)
