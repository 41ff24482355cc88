"""The shop's pages show orders with their workflows and steps, and start what is pending."""

from datetime import timedelta

from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import TestCase, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from durable_django.models import Step, Workflow
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

        self.assertContains(self.client.get("/", {"state": "paid"}), "<td><a", count=1)
        self.assertContains(self.client.get("/", {"state": "lost"}), "No orders.")

    def test_text_is_escaped(self):
        """Whatever customers call themselves is shown as text."""
        Order.objects.filter(number="SO-1001").update(customer="<script>alert(1)</script>")

        self.assertContains(self.client.get("/"), "&lt;script&gt;alert(1)&lt;/script&gt;")


class TheNavigation(PageCase):
    def test_here(self):
        """Each page says which of the apps it belongs to."""
        self.client.force_login(get_user_model().objects.create_superuser("demo", password="demo"))
        for path, label in (("/", "Orders"), ("/orders/SO-1001/", "Orders"), ("/inbox/", "Inbox")):
            with self.subTest(path):
                href = "/" if label == "Orders" else path
                self.assertContains(self.client.get(path), f'<a href="{href}" aria-current="true">{label}</a>')


class TheOrder(PageCase):
    def get(self, number="SO-1001"):
        return self.client.get(reverse("shop:order", args=[number]))

    def test_before_the_checkout(self):
        """An order that nobody has checked out shows its facts and the button that starts the checkout."""
        with self.assertNumQueries(2):
            response = self.get()

        self.assertContains(response, "Zoë Krüger")
        self.assertContains(response, "10969 Berlin")
        self.assertContains(response, "Check out this order")

    def test_queries(self):
        """However many steps there are, the page takes five queries."""
        workflow = start_checkout(Order.objects.get(number="SO-1001")).workflow
        Workflow.objects.filter(pk=workflow.pk).update(started_at=timezone.now())
        for count in (0, 1, 5):
            with self.subTest(steps=count):
                while workflow.steps.count() < count:
                    self.record(workflow, workflow.steps.count() + 1)

                with self.assertNumQueries(5):
                    response = self.get()

                self.assertEqual(count, response.content.decode().count("<code>charge_card</code>"))

    def test_steps(self):
        """Each step shows its state, its attempt and how long it took; reports of progress are not listed."""
        workflow = start_checkout(Order.objects.get(number="SO-1001")).workflow
        began = timezone.now()
        Workflow.objects.filter(pk=workflow.pk).update(started_at=began, attempt=2, status="running", worker="w")
        self.record(workflow, 1, started_at=began, finished_at=began + timedelta(seconds=3), attempt=2)
        self.record(workflow, 2, started_at=began + timedelta(seconds=3), finished_at=None, error="no answer")
        self.record(workflow, 3, started_at=began + timedelta(seconds=3), kind="write_stream", name="write_stream")

        response = self.get()

        self.assertContains(response, "in attempt 2")
        self.assertContains(response, "When, of 3.00 s")
        self.assertContains(response, '<line x1="0" x2="1000"')
        self.assertContains(response, '<line x1="1000" x2="1000"')
        self.assertContains(response, '<span class="pill retrying">retrying</span>', html=True)
        self.assertNotContains(response, "write_stream")

    def test_refresh(self):
        """Where no script can follow the progress, the page refreshes itself until the workflow has ended."""
        handle = start_checkout(Order.objects.get(number="SO-1001"))
        self.assertContains(self.get(), '<noscript><meta http-equiv="refresh"')

        handle.workflow.cancel()

        self.assertNotContains(self.get(), 'http-equiv="refresh"')

    def test_unknown_order(self):
        """An order that is not there is not found."""
        self.assertEqual(404, self.get("SO-0").status_code)

    def record(self, workflow, position, **values):
        facts = {"started_at": timezone.now(), "finished_at": timezone.now(), "attempt": 1, "name": "charge_card"}
        Step.objects.create(workflow=workflow, position=position, **{**facts, **values})


class TheAdmin(PageCase):
    def setUp(self):
        self.client.force_login(get_user_model().objects.create_superuser("demo", password="demo"))
        self.list = reverse("admin:shop_order_changelist")
        self.order = Order.objects.get(number="SO-1001")
        self.page = reverse("admin:shop_order_change", args=[self.order.pk])

    def test_links_to_workflows(self):
        """List and page of an order show the status of its workflow, and link to it."""
        start_checkout(self.order)
        url = reverse("admin:durable_django_workflow_change", args=[quote("order-SO-1001")])

        for page in (self.list, self.page):
            self.assertContains(self.client.get(page), f'<a href="{url}">queued</a>', html=True)
        self.assertEqual(200, self.client.get(url).status_code)

    def test_without_workflow(self):
        """An order that nobody has checked out has no link."""
        self.assertNotContains(self.client.get(self.page), "durable_django/workflow/order-")

    def test_queries(self):
        """However many orders are listed, the list takes the same number of queries."""
        start_pending_checkouts()
        with CaptureQueriesContext(connection) as all_orders:
            self.client.get(self.list)
        Order.objects.exclude(pk=self.order.pk).delete()

        with self.assertNumQueries(len(all_orders)):
            self.client.get(self.list)

    def test_mending_an_address(self):
        """An address can be corrected; what the checkout decides about stays as it is, whatever is sent."""
        mended = {"customer": "Zoë", "email": "zoe@mail.example", "address": "Lindenstraße 5", "country": "AT"}

        self.client.post(self.page, {**mended, "state": "paid", "amount": "0"})

        after = Order.objects.get(pk=self.order.pk)
        self.assertEqual(mended, {name: getattr(after, name) for name in mended})
        self.assertEqual((self.order.state, self.order.amount), (after.state, after.amount))

    def test_only_the_shop_makes_orders(self):
        """Orders are neither added nor deleted here."""
        self.assertEqual(403, self.client.get(reverse("admin:shop_order_add")).status_code)
        self.assertEqual(403, self.client.get(reverse("admin:shop_order_delete", args=[self.order.pk])).status_code)


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

    def test_checkout_of_one_order(self):
        """The button of an order starts its checkout, and shows it; a second click starts nothing."""
        url = reverse("shop:checkout", args=["SO-1001"])

        for _click in range(2):
            self.assertRedirects(self.client.post(url), reverse("shop:order", args=["SO-1001"]))

        self.assertEqual(["order-SO-1001"], list(Workflow.objects.values_list("pk", flat=True)))
        self.assertEqual(227, Order.objects.imported().count())

    def test_second_click(self):
        """A second click starts nothing."""
        start_pending_checkouts()

        self.assertContains(self.client.post("/checkout/", follow=True), "0 checkouts started.")

    def test_looking_changes_nothing(self):
        """What changes something wants a POST."""
        for path in ("/import/", "/checkout/", "/orders/SO-1001/checkout/"):
            self.assertEqual(405, self.client.get(path).status_code)
        self.assertEqual(405, self.client.post("/orders/SO-1001/").status_code)
