"""Products, orders, and what the checkout leaves behind: reservations and shipments."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Count, F, OuterRef, Subquery, Value
from django.db.models.functions import Concat

from durable_django.models import Workflow
from example_project.shop.refusals import OutOfStock


class Product(models.Model):
    """Something on the shelf; `stock` counts the units that nobody has reserved."""

    sku = models.CharField(max_length=32, unique=True)
    name = models.CharField(max_length=100)
    stock = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ("sku",)

    def __str__(self) -> str:
        return self.name

    def take(self, quantity: int) -> None:
        """
        Take units off the shelf.

        Raises OutOfStock if fewer are free. Compared and subtracted in one statement: two buyers of the last unit
        cannot both get it.
        """
        enough = Product.objects.filter(pk=self.pk, stock__gte=quantity)
        if not enough.update(stock=F("stock") - quantity):
            message = f"Fewer than {quantity} of {self.sku} are in stock."
            raise OutOfStock(message)

    def put_back(self, quantity: int) -> None:
        """Put units back on the shelf."""
        Product.objects.filter(pk=self.pk).update(stock=F("stock") + quantity)


class OrderQuerySet(models.QuerySet["Order"]):
    """Orders by what has become of them."""

    def imported(self) -> Self:
        """Orders whose checkout nobody has started."""
        return self.filter(state=Order.State.IMPORTED)

    def begin_checkout(self) -> int:
        """Mark imported orders as being checked out. Return how many."""
        return self.imported().update(state=Order.State.CHECKOUT)

    def with_workflow_status(self) -> Self:
        """Annotate `workflow_status`, None before the checkout; found by the primary key of the workflow table."""
        workflow = Workflow.objects.filter(pk=OuterRef("workflow_id"))
        return self.annotate(workflow_status=Subquery(workflow.values("status")[:1]))

    def count_by_state(self) -> dict[str, int]:
        """Return how many orders are in each state."""
        return dict(self.order_by().values_list("state").annotate(Count("pk")))


class Order(models.Model):
    """
    An order as it came in, and what has become of it.

    workflow_id  follows from the number: an order cannot be checked out twice
    card         the payment provider's token; card numbers never come here
    charge_id    the provider's id of the charge, once the order is paid
    reason       why an order was not carried out
    """

    class State(models.TextChoices):
        """What has become of an order."""

        IMPORTED = "imported", "imported"
        CHECKOUT = "checkout", "in checkout"
        PAID = "paid", "paid"
        REFUNDED = "refunded", "refunded"
        FAILED = "failed", "failed"

    class Currency(models.TextChoices):
        """What the shop can charge in."""

        EUR = "EUR", "EUR"
        USD = "USD", "USD"
        GBP = "GBP", "GBP"

    number = models.CharField(max_length=32, unique=True)
    workflow_id = models.GeneratedField(
        expression=Concat(Value("order-"), F("number")), output_field=models.CharField(max_length=38), db_persist=True
    )
    customer = models.CharField(max_length=100)
    email = models.EmailField()
    address = models.TextField()
    country = models.CharField(max_length=2)
    product = models.ForeignKey(Product, on_delete=models.PROTECT)
    quantity = models.PositiveIntegerField()
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    currency = models.CharField(max_length=3, choices=Currency)
    card = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=State, default=State.IMPORTED, db_index=True)
    charge_id = models.CharField(max_length=64, blank=True, default="")
    reason = models.CharField(max_length=300, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OrderQuerySet.as_manager()

    class Meta:
        ordering = ("number",)

    def __str__(self) -> str:
        return self.number

    def mark_paid(self, charge_id: str) -> None:
        """Keep that the order is paid and on its way."""
        self.state, self.charge_id = Order.State.PAID, charge_id
        self.save(update_fields=["state", "charge_id"])

    def mark_undone(self, *, refunded: bool, reason: str) -> None:
        """Keep that the order was not carried out, and why."""
        self.state = Order.State.REFUNDED if refunded else Order.State.FAILED
        self.reason = reason[:300]
        self.save(update_fields=["state", "reason"])


class Reservation(models.Model):
    """Units set aside for an order; one row while they are."""

    order = models.OneToOneField(Order, on_delete=models.CASCADE)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"Reservation for {self.order_id}"


class Shipment(models.Model):
    """A parcel handed to a carrier."""

    order = models.OneToOneField(Order, on_delete=models.CASCADE)
    carrier = models.CharField(max_length=50)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.carrier} for {self.order_id}"
