"""The products that the shop starts with."""

from __future__ import annotations

import csv
from pathlib import Path

from example_project.shop.models import Product

PRODUCTS_FILE = Path(__file__).parent / "data" / "products.csv"


def read_products() -> list[Product]:
    """Return the products of the file, unsaved."""
    with PRODUCTS_FILE.open(encoding="utf-8", newline="") as lines:
        return [Product(sku=row["sku"], name=row["name"], stock=int(row["stock"])) for row in csv.DictReader(lines)]


def load_products() -> None:
    """Add the products that are missing; the stock of the others stays as it is."""
    Product.objects.bulk_create(read_products(), ignore_conflicts=True)
