"""Orders come from a CSV file; what is wrong with it is told by line and reason."""

import tempfile
from decimal import Decimal
from io import StringIO
from pathlib import Path

from django.core.management import CommandError, call_command
from django.test import TestCase

from example_project.shop.catalogue import load_products
from example_project.shop.importing import COLUMNS, ORDERS_FILE, UnreadableFile, import_orders
from example_project.shop.models import Order, Product

HEADER = ",".join(COLUMNS)


def record(number="SO-1", *, address="Main Street 1", sku="MUG-01", amount="12.30", email="zoe@mail.example"):
    return f'{number},Zoë Krüger,{email},"{address}",DE,{sku},1,"{amount}",EUR,tok_visa'


class ImportCase(TestCase):
    @classmethod
    def setUpTestData(cls):
        load_products()

    def import_text(self, *lines, encoding="utf-8"):
        with tempfile.NamedTemporaryFile(suffix=".csv") as file:
            file.write("\n".join(lines).encode(encoding))
            file.flush()
            return import_orders(Path(file.name))

    def reasons(self, *lines):
        return [(problem.line, problem.reason) for problem in self.import_text(HEADER, *lines).broken]


class TheFileOfTheShop(ImportCase):
    def test_good_lines_are_imported(self):
        """All orders but the broken lines and the duplicates are imported."""
        report = import_orders()

        self.assertEqual(
            (228, 0, 3, 5), (report.imported, report.already_known, len(report.broken), len(report.duplicates))
        )
        self.assertEqual(228, Order.objects.imported().count())

    def test_broken_lines_are_reported(self):
        """Each broken line is reported with the physical line on which it begins, and every reason."""
        broken = {problem.line: problem.reason for problem in import_orders().broken}

        self.assertEqual(
            {
                59: "9 columns where 10 are expected",
                204: "amount: “fourteen” is not an amount like 12.30 or 1,299.50",
                398: "email: Enter a valid email address; sku: no product has the SKU “SOFA-99”",
            },
            broken,
        )
        lines = ORDERS_FILE.read_text(encoding="utf-8-sig").split("\n")
        self.assertEqual(["SO-1901", "SO-1902", "SO-1903"], [lines[line - 1].split(",")[0] for line in sorted(broken)])

    def test_text_of_all_scripts_survives(self):
        """Names and addresses come in as they were written, commas and line breaks included."""
        import_orders()

        names = set(Order.objects.values_list("customer", flat=True))
        self.assertLessEqual(
            {"Zoë Krüger", "Łukasz Żak", "王小明", "Đặng Thu Hà", "أحمد الفاسي", "Mia 🌻 Sommer"}, names
        )
        self.assertEqual("Lindenstraße 5, Hinterhof\n10969 Berlin", Order.objects.get(number="SO-1001").address)

    def test_second_import(self):
        """Importing the file once more changes nothing."""
        import_orders()

        report = import_orders()

        self.assertEqual((0, 228), (report.imported, report.already_known))
        self.assertEqual(228, Order.objects.count())


class GoodLines(ImportCase):
    def test_byte_order_mark(self):
        """The byte-order mark that spreadsheets write is no part of the first column's name."""
        self.assertEqual(1, self.import_text(HEADER, record(), encoding="utf-8-sig").imported)

    def test_amounts(self):
        """Cents are kept; commas between thousands are dropped."""
        amounts = ["12.30", "1299.50", "1,299.50", "0.01"]

        self.import_text(HEADER, *(record(f"SO-{n}", amount=amount) for n, amount in enumerate(amounts)))

        stored = list(Order.objects.values_list("amount", flat=True))
        self.assertEqual([Decimal("12.30"), Decimal("1299.50"), Decimal("1299.50"), Decimal("0.01")], stored)

    def test_workflow_id(self):
        """The id of the checkout follows from the number of the order."""
        self.import_text(HEADER, record("SO-7"))

        self.assertEqual("order-SO-7", Order.objects.get().workflow_id)


class BrokenLines(ImportCase):
    def test_line_numbers_after_line_breaks(self):
        """Lines are counted as an editor counts them: line breaks inside fields and blank lines too."""
        reasons = self.reasons(record(address="two\nlines"), "", record("SO-2", amount="much"))

        self.assertEqual([5], [line for line, _ in reasons])

    def test_ambiguous_amounts(self):
        """An amount that could mean two things is refused rather than guessed."""
        for amount in ["12,30", "1.299,50", "12.3", "12", "1,29.50", "-5.00", "0.00", "NaN", "", "\u0663.\u0665\u0660"]:
            with self.subTest(amount=amount):
                ((line, reason),) = self.reasons(record(amount=amount))

                self.assertEqual(2, line)
                self.assertTrue(reason.startswith("amount: "), reason)

    def test_quote_that_is_never_closed(self):
        """An open quote is reported where it opens; the lines before it are imported."""
        self.assertEqual([(3, "unexpected end of data")], self.reasons(record(), 'SO-2,"Zoë'))
        self.assertEqual(1, Order.objects.count())

    def test_columns_too_many(self):
        """A line with more columns than the first is reported."""
        self.assertEqual([(2, "11 columns where 10 are expected")], self.reasons(record() + ",more"))

    def test_null_characters(self):
        """A NUL, which PostgreSQL cannot store, is reported like any other fault."""
        ((line, _reason),) = self.reasons(record(address="a\0b"))

        self.assertEqual(2, line)

    def test_duplicates(self):
        """A number that comes twice is imported once: the first."""
        report = self.import_text(HEADER, record(amount="1.00"), record("SO-2"), record(amount="2.00"))

        (duplicate,) = report.duplicates
        self.assertEqual((4, "order SO-1 stands on line 2 already"), (duplicate.line, duplicate.reason))
        self.assertEqual(Decimal("1.00"), Order.objects.get(number="SO-1").amount)


class FilesThatAreNone(ImportCase):
    def test_other_columns(self):
        """A file with other columns is refused, and the expected ones are named."""
        with self.assertRaisesMessage(UnreadableFile, f"must name the columns {HEADER}, not a,b"):
            self.import_text("a,b", record())

    def test_empty_file(self):
        """An empty file is refused."""
        with self.assertRaisesMessage(UnreadableFile, "not nothing"):
            self.import_text("")

    def test_other_encoding(self):
        """A file that is not UTF-8 is refused, and nothing of it is imported."""
        with self.assertRaisesMessage(UnreadableFile, "is not UTF-8"):
            self.import_text(HEADER, record("SO-1"), record("SO-2"), encoding="latin-1")
        self.assertFalse(Order.objects.exists())


class TheCommand(TestCase):
    def test_report(self):
        """The command brings the products, imports, and prints every line that it left out."""
        output = StringIO()

        call_command("import_orders", stdout=output)

        self.assertEqual(8, Product.objects.count())
        self.assertIn("228 orders imported, 0 known already.", output.getvalue())
        self.assertIn("line 59, broken: 9 columns where 10 are expected", output.getvalue())
        self.assertIn("line 86, duplicate: order SO-1012 stands on line 24 already", output.getvalue())

    def test_missing_file(self):
        """A file that is not there ends the command with an error."""
        with self.assertRaises(CommandError):
            call_command("import_orders", "/there/is/none.csv")
