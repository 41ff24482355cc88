"""Each file of a folder is counted by a child of its own, and a broken one is a line of the report."""

import tempfile
from pathlib import Path
from unittest import mock

from django.test import SimpleTestCase, TestCase
from django.utils.formats import date_format
from django.utils.timezone import localtime

from durable_django.models import Workflow
from durable_django.testing import crash_after, crash_before, run_until_idle
from example_project.documents import counting, workflows
from example_project.documents.counting import Count, Unreadable, count, encoding_of
from example_project.documents.workflows import FOLDER, count_folder
from tests.example.shop import as_in_the_shop

DAMAGED = "carroll-jabberwocky-damaged.utf-8.txt"


def count_the_folder():
    handle = count_folder.start()
    run_until_idle()
    return handle


class AFile(SimpleTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return path

    def test_encodings(self):
        """A text counts the same in whatever encoding its name says."""
        text = "Märchen, l'été\nzwei Wörter"

        for encoding in ("utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252"):
            with self.subTest(encoding):
                self.assertEqual(Count(2, 4, 26), count(self.write(f"a.{encoding}.txt", text.encode(encoding))))

    def test_name_without_encoding(self):
        """Without a word in its name a file is UTF-8."""
        self.assertEqual(["utf-8", "utf-8", "koi8-r"], list(map(encoding_of, ["a.txt", "a", "a.b.koi8-r.txt"])))

    def test_empty_file(self):
        """Nothing is in an empty file, and that can be read."""
        self.assertEqual(Count(0, 0, 0), count(self.write("a.txt", b"")))

    def test_broken_file(self):
        """The error says which byte is wrong, and why."""
        with self.assertRaisesMessage(Unreadable, "Byte 2 is not utf-8: invalid start byte."):
            count(self.write("a.utf-8.txt", b"ab\xff"))

    def test_unknown_encoding(self):
        """An encoding that does not exist is named."""
        with self.assertRaisesMessage(Unreadable, "There is no encoding klingon."):
            count(self.write("a.klingon.txt", b"ab"))


class TheFolder(TestCase):
    def test_report(self):
        """There is a line for each file, in order; one that cannot be read says why, and the others are counted."""
        lines = count_the_folder().result()

        self.assertEqual(sorted(path.name for path in FOLDER.glob("*.txt")), [line.file for line in lines])
        by_file = {line.file: line for line in lines}
        self.assertEqual(Count(14, 114, 621), by_file["shakespeare-sonnet-18.ascii.txt"].count)
        self.assertEqual((8, 50), self.lines_and_words(by_file["pushkin-i-loved-you.koi8-r.txt"]))
        self.assertEqual((13, 29), self.lines_and_words(by_file["verlaine-chanson-d-automne.windows-1252.txt"]))
        self.assertEqual([DAMAGED], [line.file for line in lines if line.problem])
        self.assertIn("is not utf-8: invalid start byte.", by_file[DAMAGED].problem)

    def test_children(self):
        """Each file has a workflow of its own; only that of the broken one has failed."""
        handle = count_the_folder()

        children = handle.workflow.children.all()
        self.assertEqual(len(list(FOLDER.glob("*.txt"))), len(children))
        self.assertEqual([DAMAGED], [child.attributes["file"] for child in children if child.status == "failed"])
        self.assertEqual("succeeded", handle.refresh().status)

    def test_worker_dies(self):
        """Wherever the worker dies, each file is counted by one child, and the report is the same."""
        lines = count_the_folder().result()

        for crash, step in [(crash_after, workflows.list_files), (crash_before, workflows.count_text)]:
            with self.subTest(crash.__name__):
                handle = count_folder.start()
                with crash(step, times=3):
                    for _life in range(4):
                        run_until_idle()

                run_until_idle()

                self.assertEqual(lines, handle.result())
                self.assertEqual(len(lines), handle.workflow.children.count())

    def test_mistake_in_the_code(self):
        """An error that is no broken file is not taken for one: the count fails with it."""
        with mock.patch.object(counting, "count", side_effect=TypeError("a mistake")):
            handle = count_the_folder()

        with self.assertRaisesMessage(TypeError, "a mistake"):
            handle.result()

    def lines_and_words(self, line):
        return line.count.lines, line.count.words


@as_in_the_shop
class ThePages(TestCase):
    def test_button(self):
        """The button starts a count and shows it; what has been counted is listed by its moment."""
        response = self.client.post("/documents/count/")

        (workflow,) = Workflow.objects.all()
        self.assertRedirects(response, f"/documents/{workflow.pk}/")
        moment = date_format(localtime(workflow.created_at), "j F Y, H:i:s")
        link = f'<a href="/documents/{workflow.pk}/">{moment}</a>'
        self.assertContains(self.client.get("/documents/"), link, html=True)

    def test_report_before_the_end(self):
        """While children run the page shows how far each is, and refreshes itself."""
        handle = count_folder.start()
        with crash_before(workflows.count_text):
            run_until_idle()

        response = self.client.get(f"/documents/{handle.id}/")

        self.assertContains(response, DAMAGED)
        self.assertContains(response, 'http-equiv="refresh"')
        self.assertNotContains(response, "<tfoot>")

    def test_report(self):
        """In the end it shows what is in each file, what is in all of them, and what could not be read."""
        handle = count_the_folder()
        lines = handle.result()

        with self.assertNumQueries(4):  # the count, its children, a handle, its result
            response = self.client.get(f"/documents/{handle.id}/")

        self.assertContains(response, f"1 of {len(lines)} files could not be read.")
        self.assertContains(response, "is not utf-8: invalid start byte.")
        words = sum(line.count.words for line in lines if line.count)
        self.assertContains(response, f'<td class="number">{words}</td>', html=True)
        self.assertNotContains(response, 'http-equiv="refresh"')

    def test_count_that_failed(self):
        """A count that ended otherwise is shown as what it is."""
        handle = count_folder.start()
        handle.workflow.cancel()

        response = self.client.get(f"/documents/{handle.id}/")

        self.assertContains(response, ">cancelled</a>")
        self.assertContains(response, "No child has been started.")
        self.assertContains(response, "The count has not come to its end")

    def test_other_workflows(self):
        """A workflow that is no count is not found, nor one that does not exist."""
        child = count_the_folder().workflow.children.first()

        self.assertEqual(404, self.client.get(f"/documents/{child.pk}/").status_code)
        self.assertEqual(404, self.client.get("/documents/no-such-count/").status_code)

    def test_looking_changes_nothing(self):
        """What starts something wants a POST."""
        self.assertEqual(405, self.client.get("/documents/count/").status_code)
