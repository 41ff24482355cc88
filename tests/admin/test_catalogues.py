"""The catalogues: complete, sound, compiled, and in no other app's way."""

import configparser
import gettext
import re
import shutil
import tempfile
import unittest
from collections import Counter
from functools import cache
from pathlib import Path

import django
from django.test import SimpleTestCase

from tests import messages
from tests.messages import LANGUAGES, PACKAGE, catalogue, entries, extract

_PLACEHOLDERS = re.compile(r"%\(\w+\)[-+ #0]*[\d.]*[a-zA-Z]|%%|<[^>]*>|&\w+;")
_ENDS = re.compile(r"[.:…]?$")
ADVICE = "Run `make messages`, and translate what it lists."


@cache
def texts(language):
    return entries(catalogue(language))


ALL = [(language, entry) for language in LANGUAGES for entry in texts(language)]


def compiled(path):
    """Return what a compiled catalogue has, by key, and by key and form where there are several."""
    with path.open("rb") as file:
        return {key: said for key, said in gettext.GNUTranslations(file)._catalog.items() if key}


def placeholders(text):
    return Counter(_PLACEHOLDERS.findall(text))


class ACatalogue(SimpleTestCase):
    def test_has_texts(self):
        """So many that nobody has emptied it."""
        self.assertTrue(all(len(texts(language)) > 300 for language in LANGUAGES))

    def test_is_complete(self):
        """Every text is translated, and nothing is a guess that nobody has looked at."""
        left = {language: [e.text for e in texts(language) if not e.is_translated] for language in LANGUAGES}

        self.assertEqual({language: [] for language in LANGUAGES}, left, ADVICE)

    def test_keeps_placeholders_and_tags(self):
        """What is put in is put in, in every form; a form for one thing may say it without the number."""
        for language, entry in ALL:
            allowed = [placeholders(entry.text), placeholders(entry.plural or entry.text)]
            for number, said in enumerate(entry.said):
                with self.subTest(language, said=said):
                    self.assertIn(placeholders(said), allowed if number == 0 else allowed[1:])

    def test_keeps_what_surrounds_a_text(self):
        """A sentence stays one, with its full stop; what begins a line begins it with a capital."""
        for language, entry in ALL:
            for said in entry.said:
                with self.subTest(language, said=said):
                    self.assertEqual(said.strip(), said)
                    self.assertEqual(_ENDS.search(entry.text)[0], _ENDS.search(said)[0])
                    self.assertFalse(entry.text[0].isupper() and said[:1].islower())

    def test_is_compiled(self):
        """What is installed says what translators wrote: gettext is not there when the package is used."""
        for language in LANGUAGES:
            written = {}
            for entry in texts(language):
                forms = {(entry.key, number): said for number, said in enumerate(entry.said)}
                written |= forms if entry.plural else {entry.key: entry.said[0]}

            self.assertEqual(written, compiled(catalogue(language).with_suffix(".mo")), ADVICE)

    def test_is_packaged(self):
        """Both files of each language are among the data of the package."""
        setup = configparser.ConfigParser()
        setup.read(PACKAGE.parent / "setup.cfg")
        patterns = setup["options.package_data"]["durable_django"].split()
        packaged = {path for pattern in patterns for path in PACKAGE.glob(pattern)}

        for language in LANGUAGES:
            self.assertLessEqual({catalogue(language), catalogue(language).with_suffix(".mo")}, packaged)

    def test_says_what_django_says(self):
        """Django merges all catalogues: another word for the same text would change its pages, or come from there."""
        for language in LANGUAGES:
            folders = [Path(django.__file__).parent / "conf", *(Path(django.__file__).parent / "contrib").iterdir()]
            theirs = {}
            for folder in folders:
                path = folder / "locale" / language / "LC_MESSAGES" / "django.mo"
                if path.exists():
                    theirs |= compiled(path)
            for key, said in compiled(catalogue(language).with_suffix(".mo")).items():
                with self.subTest(language, text=key):
                    self.assertEqual(theirs.get(key, said), said, "Say the same, or give it a context.")


@unittest.skipUnless(shutil.which("xgettext") and shutil.which("msgmerge"), "GNU gettext is not installed")
class TheTextsOfThePackage(SimpleTestCase):
    def test_are_all_in_the_catalogues(self):
        """No text is missing, and no entry is left of one that is gone."""
        folder = Path(self.enterContext(tempfile.TemporaryDirectory())) / PACKAGE.name
        shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__", "*.mo"))

        extract(folder)

        for language in LANGUAGES:
            found = {(entry.key, entry.plural) for entry in entries(catalogue(language, folder))}
            self.assertEqual({(entry.key, entry.plural) for entry in texts(language)}, found, ADVICE)


class TheReaderOfCatalogues(SimpleTestCase):
    def test_reads_what_translators_write(self):
        """Texts of several lines, contexts, plurals, flags."""
        written = (
            'msgid ""\nmsgstr "Language: de\\n"\n\n'
            '#: admin/x.py\n#, fuzzy, python-format\nmsgctxt "verb"\nmsgid ""\n"a \\"b\\" "\n"c"\nmsgstr "d"\n\n'
            'msgid "%(n)d e"\nmsgid_plural "%(n)d es"\nmsgstr[0] "f"\nmsgstr[1] ""\n\n#~ msgid "old"\n#~ msgstr "alt"\n'
        )
        path = Path(self.enterContext(tempfile.TemporaryDirectory())) / "django.po"
        path.write_text(written, encoding="utf-8")

        first, second = messages.entries(path)

        self.assertEqual(('verb\x04a "b" c', ["d"], {"fuzzy", "python-format"}), (first.key, first.said, first.flags))
        self.assertEqual(("%(n)d es", ["f", ""], False), (second.plural, second.said, second.is_translated))
