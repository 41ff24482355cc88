"""
Read orders from a CSV file: what is right is imported, what is not is reported by line and reason.

The file is UTF-8, with or without byte-order mark, separated by commas; a quoted field may hold commas and line
breaks. Amounts have two decimals after a point and may have commas between thousands: 12.30 or 1,299.50. A number
that was imported before, from this file or an earlier one, is not imported again.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction

from example_project.shop.models import Order, Product

ORDERS_FILE = Path(__file__).parent / "data" / "orders.csv"
COLUMNS = ["number", "customer", "email", "address", "country", "sku", "quantity", "amount", "currency", "card"]
AMOUNT = re.compile(r"(\d+|\d{1,3}(,\d{3})+)\.\d{2}", re.ASCII)
BATCH_SIZE = 500


class UnreadableFile(Exception):
    """The file as a whole is not one of orders; nothing was imported."""


@dataclass(frozen=True)
class Problem:
    """A line that was not imported; `line` is the physical one where its record begins, from 1."""

    line: int
    reason: str


@dataclass
class ImportReport:
    """What became of the lines of a file; `already_known` orders were imported from an earlier one."""

    imported: int = 0
    already_known: int = 0
    duplicates: list[Problem] = field(default_factory=list)
    broken: list[Problem] = field(default_factory=list)


def import_orders(path: Path = ORDERS_FILE) -> ImportReport:
    """
    Import the orders of a file, all in one transaction.

    Raises UnreadableFile if it is not UTF-8 or its first line does not name the columns.
    """
    report = ImportReport()
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            orders = _collect(lines, report)
    except UnicodeDecodeError as error:
        message = f"{path} is not UTF-8: {error}. Save it as UTF-8."
        raise UnreadableFile(message) from error
    _save(orders, report)
    return report


def _collect(lines: TextIO, report: ImportReport) -> list[Order]:
    """Return the orders that can be imported, unsaved; note the others in the report."""
    products = {product.sku: product for product in Product.objects.all()}
    orders: dict[str, Order] = {}
    line_of: dict[str, int] = {}
    for line, cells in _read_records(lines):
        try:
            order = _parse(cells, products)
        except ValidationError as error:
            report.broken.append(Problem(line, "; ".join(error.messages)))
            continue
        first_line = line_of.setdefault(order.number, line)
        if first_line != line:
            report.duplicates.append(Problem(line, f"order {order.number} stands on line {first_line} already"))
            continue
        orders[order.number] = order
    return list(orders.values())


def _read_records(lines: TextIO) -> Iterator[tuple[int, list[str] | csv.Error]]:
    """Yield each record with the physical line on which it begins; blank lines are skipped."""
    reader = csv.reader(lines, strict=True)
    header = next(reader, [])
    if header != COLUMNS:
        message = f"The first line must name the columns {','.join(COLUMNS)}, not {','.join(header) or 'nothing'}."
        raise UnreadableFile(message)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, error
            continue
        if cells:
            yield line, cells


def _parse(cells: list[str] | csv.Error, products: dict[str, Product]) -> Order:
    """Return the order of a record, unsaved. Raises ValidationError with every reason why it is none."""
    if isinstance(cells, csv.Error):
        raise ValidationError(str(cells))
    if len(cells) != len(COLUMNS):
        raise ValidationError(f"{len(cells)} columns where {len(COLUMNS)} are expected")
    form = OrderForm(dict(zip(COLUMNS, cells, strict=True)), products=products)
    if not form.is_valid():
        raise ValidationError(
            [f"{name}: {str(text).rstrip('.')}" for name, texts in form.errors.items() for text in texts]
        )
    values = form.cleaned_data
    return Order(product=values.pop("sku"), **values)


class AmountField(forms.DecimalField):
    """Money written as 12.30 or 1,299.50. Anything else, 12,30 above all, is ambiguous and refused."""

    default_error_messages = {"amount": "“%(value)s” is not an amount like 12.30 or 1,299.50."}

    def to_python(self, value: Any) -> Any:
        """Return the amount without its thousands separators."""
        if not AMOUNT.fullmatch(value):
            raise ValidationError(self.error_messages["amount"], params={"value": value})
        return super().to_python(value.replace(",", ""))


class OrderForm(forms.Form):
    """One record of the file; a Django form, because it knows how to say what is wrong."""

    number = forms.RegexField(r"^[A-Z0-9-]{1,32}$")
    customer = forms.CharField(max_length=100)
    email = forms.EmailField()
    address = forms.CharField(max_length=500)
    country = forms.RegexField(r"^[A-Z]{2}$")
    sku = forms.CharField()
    quantity = forms.IntegerField(min_value=1, max_value=1000)
    amount = AmountField(min_value=Decimal("0.01"), max_digits=10, decimal_places=2)
    currency = forms.ChoiceField(choices=Order.Currency.choices)
    card = forms.RegexField(r"^tok_[a-z_]{1,60}$")

    def __init__(self, record: dict[str, str], *, products: dict[str, Product]) -> None:
        super().__init__(record)
        self.products = products

    def clean_sku(self) -> Product:
        """Return the product with this SKU."""
        sku = self.cleaned_data["sku"]
        if sku not in self.products:
            raise ValidationError("no product has the SKU “%(sku)s”", params={"sku": sku})
        return self.products[sku]


def _save(orders: list[Order], report: ImportReport) -> None:
    # Counted before and after, because bulk_create does not say how many it left out.
    with transaction.atomic():
        before = Order.objects.count()
        Order.objects.bulk_create(orders, ignore_conflicts=True, batch_size=BATCH_SIZE)
        report.imported = Order.objects.count() - before
    report.already_known = len(orders) - report.imported
