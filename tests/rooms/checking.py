"""What the tests of the system checks share."""

from pathlib import Path

from django.test import SimpleTestCase, override_settings

from durable_django import checks

#: The source of all checks, those of the backend for tasks left out.
SOURCES = {path: path.read_text() for path in sorted(Path(checks.__file__).parent.glob("*.py"))}


def found(check, **durable):
    """Return the messages of one check under these settings of durable_django."""
    with override_settings(DURABLE_DJANGO=durable):
        return check()


class CheckTestCase(SimpleTestCase):
    databases = {"default"}

    def assert_message(self, messages, id_, *words, hint=""):
        """There is just one message, of that id, that says all the words."""
        self.assertEqual([f"durable_django.{id_}"], [message.id for message in messages])
        for each in words:
            self.assertIn(each, messages[0].msg)
        self.assertIn(hint, messages[0].hint or "")
