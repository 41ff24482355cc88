"""What the schedules leave behind: a report for each day, and what was ordered from suppliers."""

from __future__ import annotations

from django.db import models

from example_project.shop.models import Product


class DailyReport(models.Model):
    """How many orders came in on a day, and what has become of them."""

    day = models.DateField(unique=True)
    orders = models.PositiveIntegerField()
    paid = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-day",)

    def __str__(self) -> str:
        return f"{self.day}: {self.paid} of {self.orders} paid"


class Supply(models.Model):
    """Units that were ordered because too few were left."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE)
    quantity = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "supplies"

    def __str__(self) -> str:
        return f"{self.quantity} x {self.product}"
