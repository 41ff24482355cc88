"""
The texts of the package in other languages: what `make messages` does, and how the suite reads the catalogues.

    python -m tests.messages    extracts all texts, compiles what was translated, and lists what is missing

Needs GNU gettext. The catalogues hold neither line numbers nor dates: they change only where a text does.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "durable_django"
LANGUAGES = ("de", "fr")
_WORD = re.compile(r'(msgctxt|msgid_plural|msgid|msgstr)(?:\[\d+\])? (".*")$')


@dataclass
class Entry:
    """
    One text as a catalogue has it.

    text     in the language of the code; `plural` is empty for one that is about no number
    context  what tells it from others of the same words; None without one
    said     in the language of the catalogue: one, or one for each form of the plural
    """

    text: str = ""
    plural: str = ""
    context: str | None = None
    said: list[str] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)

    @property
    def key(self) -> str:
        """As compiled catalogues have it."""
        return self.text if self.context is None else f"{self.context}\x04{self.text}"

    @property
    def is_translated(self) -> bool:
        """Whether somebody has said it in every form, and nobody doubts it."""
        return bool(self.said) and all(self.said) and "fuzzy" not in self.flags


def catalogue(language: str, package: Path = PACKAGE) -> Path:
    """Return the file that translators write."""
    return package / "locale" / language / "LC_MESSAGES" / "django.po"


def entries(path: Path) -> list[Entry]:
    """Return the texts of a catalogue, without its header."""
    found = [_entry(block) for block in path.read_text(encoding="utf-8").split("\n\n")]
    return [entry for entry in found if entry.text]


def _entry(block: str) -> Entry:
    entry = Entry()
    for word, text in _words(block):
        if word == "#,":
            entry.flags |= {flag.strip() for flag in text.split(",")}
        elif word == "msgstr":
            entry.said.append(text)
        else:
            setattr(entry, {"msgid": "text", "msgid_plural": "plural", "msgctxt": "context"}[word], text)
    return entry


def _words(block: str) -> Iterator[tuple[str, str]]:
    """Yield flags and texts, those of several lines as one."""
    word, text = "", ""
    for line in block.split("\n"):
        if found := _WORD.match(line):
            if word:
                yield word, text
            word, text = found[1], ast.literal_eval(found[2])
        elif line.startswith('"'):
            text += ast.literal_eval(line)
        elif line.startswith("#, "):
            yield "#,", line[3:]
    if word:
        yield word, text


def extract(package: Path = PACKAGE) -> None:
    """Bring the catalogues of a copy of the package up to date with its texts."""
    for language in LANGUAGES:
        catalogue(language, package).parent.mkdir(parents=True, exist_ok=True)
    languages = [option for language in LANGUAGES for option in ("--locale", language)]
    _call(package, "makemessages", *languages, "--add-location", "file", "--no-wrap", "--no-obsolete", "--verbosity=0")
    for language in LANGUAGES:
        path = catalogue(language, package)
        # Two branches that extract at different times would conflict in every date.
        dated = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r'"POT-Creation-Date: .*\\n"\n', "", dated), encoding="utf-8")


def _call(package: Path, *words: str) -> None:
    # Without the settings of whoever calls: their LOCALE_PATHS are not the package's.
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    subprocess.run([sys.executable, "-m", "django", *words], cwd=package, env=environment, check=True)


def main() -> int:
    """Return 1 if something is left to be translated."""
    extract()
    _call(PACKAGE, "compilemessages", "--verbosity=0")
    left = 0
    for language in LANGUAGES:
        texts = entries(catalogue(language))
        missing = [entry for entry in texts if not entry.is_translated]
        print(f"{language}: {len(texts)} texts, {len(missing)} to be translated")
        for entry in missing:
            print(f"  {'fuzzy' if 'fuzzy' in entry.flags else 'missing'}: {entry.text!r}")
        left += len(missing)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
