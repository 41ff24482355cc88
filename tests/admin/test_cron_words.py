"""Cron text in words."""

from django.test import SimpleTestCase
from django.utils import translation

from durable_django.admin.cron_words import words_of


class CronText(SimpleTestCase):
    def test_is_said_in_words(self):
        """On which days, at which times."""
        for text, words in (
            ("* * * * *", "every minute"),
            ("*/1 * * * *", "every minute"),
            ("*/15 * * * *", "every 15 minutes"),
            ("0 * * * *", "every hour"),
            ("5,35 * * * *", "at minutes 5 and 35 of every hour"),
            ("0 * * * 1-5", "from Monday to Friday, every hour"),
            ("0 */1 * * *", "every hour"),
            ("0 */4 * * *", "every 4 hours"),
            ("30 */4 * * *", "at minute 30 of every 4 hours"),
            ("30 2 * * *", "every day, at 02:30"),
            ("0 30 2 * * *", "every day, at 02:30"),
            ("0 9,17 * * *", "every day, at 09:00 and 17:00"),
            ("0,30 9 * * *", "every day, at 09:00 and 09:30"),
            ("0 9-17 * * *", "every day, every hour from 09:00 to 17:00"),
            ("*/10 9-17 * * *", "every day, every 10 minutes from 09:00 to 17:50"),
            ("0 9 * * 1-5", "from Monday to Friday, at 09:00"),
            ("0 9 * * mon-fri", "from Monday to Friday, at 09:00"),
            ("0 9 * * 0,6", "on Saturday and Sunday, at 09:00"),
            ("0 9 * * 7", "on Sunday, at 09:00"),
            ("0 9 * * 0-7", "every day, at 09:00"),
            ("0 9 * * SUN,wed", "on Wednesday and Sunday, at 09:00"),
            ("0 0 1 * *", "on day 1 of the month, at 00:00"),
            ("0 0 1,15 * *", "on days 1 and 15 of the month, at 00:00"),
            ("0 0 L * *", "on the last day of the month, at 00:00"),
            ("0 0 1 1 *", "on day 1 of the month in January, at 00:00"),
            ("0 0 * jan-mar *", "every day in January, February and March, at 00:00"),
            ("0 0 13 * 5", "on day 13 of the month and on Friday, at 00:00"),
        ):
            self.assertEqual(words, words_of(text), text)

    def test_of_other_kinds_has_no_words(self):
        """Nothing wrong is said, and nothing breaks."""
        for text in (
            "", "x", "* * * *", "30 0 2 * * *", "7/3 * * * *", "*/7 * * * *", "0 9 * * 5#2", "0 9 * * L5",
            "0 9 31-1 * *", "0 25 * * *", "60 * * * *", "0 9 * 13 *", "0 9 * * 8", "0 9 0 * *", "*/5 1,3,5,7 * * *",
            "1,2,3,4 1,2,3,4 * * *", "0 9 1W * *", "a b c d e", "0 9-17/2 * * *", "*/0 * * * *", "0 */0 * * *",
            "0 */5 * * *", "\u0663 * * * *", "\u00b2 * * * *", "0 9 * * -1",
        ):  # fmt: skip
            self.assertEqual("", words_of(text), text)

    def test_is_said_in_the_language_of_the_reader(self):
        """As far as there is a translation: Django has those of weekdays."""
        with translation.override("de"):
            self.assertIn("Montag", words_of("0 9 * * 1"))
