"""admin/workflow_page/failures.py: whose frames a traceback has."""

from django.test import SimpleTestCase

from durable_django.admin.workflow_page.failures import frames_of

TRACEBACK = """Traceback (most recent call last):
  File "/srv/venv/lib/python3.12/site-packages/durable_django/engine/attempts.py", line 7, in attempt
    run()
  File "/srv/site/shop/workflows.py", line 12, in checkout
    charge(order)
    ~~~~~~^^^^^^^
  File "/srv/site/shop/payments.py", line 3, in charge
    client.post(url)
  File "/srv/venv/lib/python3.12/site-packages/requests/api.py", line 115, in post
    return request("post", url)
  File "/usr/lib/python3.12/socket.py", line 852, in create_connection
    raise exceptions[0]
requests.ConnectionError: refused
"""


class ATraceback(SimpleTestCase):
    def test_shows_the_frames_of_the_project_openly(self):
        """Those of libraries are folded where they stand."""
        parts = list(frames_of(TRACEBACK))

        self.assertEqual(["", "1 frame of libraries", "", "2 frames of libraries", ""], [part.title for part in parts])
        self.assertIn("in checkout\n    charge(order)", parts[2].text)
        self.assertIn("in charge", parts[2].text)
        self.assertEqual("requests.ConnectionError: refused", parts[4].text)

    def test_of_nothing_is_nothing(self):
        """An error that nobody raised."""
        self.assertEqual([], list(frames_of("")))

    def test_may_be_any_text(self):
        """Whatever stands in a row."""
        for text in ('  File "', "\n\n\n", "    \n  File", 'File "<script>", line 1, in x'):
            self.assertEqual([""], list({part.title for part in frames_of(f"x{text}")}))
