"""Links lead somewhere, every page can be found, and the pages keep to what readers can have."""

from __future__ import annotations

import re
import unittest
from pathlib import Path
from urllib.parse import unquote

from tests.docs.pages import ROOT, Page, all_pages, page

#: Tickets, notes to oneself, and a word that means another thing to every reader: say connection, run or start.
FORBIDDEN = re.compile(r"\b[Ii]ssue #?\d|\b[Ss]ession\b|\bTODO\b|\bFIXME\b")
#: Absolute paths, and the folders that they may lie in: a reader has no others.
PATH = re.compile(r"(?<![\w.~:/)\]-])/(?:[\w.-]+/)+[\w.-]*")
FOLDERS = ("/srv/site", "/tmp/durable-demo", "/dev/", "/proc/")
#: Words that praise instead of saying something.
PRAISE = re.compile(
    r"\b(blazing\w*|seamless\w*|effortless\w*|powerful|cutting-edge|world-class|simply|best-in-class|delightful)\b",
    re.IGNORECASE,
)


class Links(unittest.TestCase):
    def test_every_link_resolves(self):
        """Each link inside the project leads to a file, and to a heading in it."""
        broken = [
            f"{each.name}:{line}: {target}"
            for each in all_pages()
            for line, target in each.links
            if not target.startswith(("http://", "https://", "mailto:")) and not leads_somewhere(each, target)
        ]
        self.assertEqual([], broken)

    def test_every_page_can_be_found_from_the_index(self):
        """Each page of docs is linked from docs/README.md, reports from wherever they are cited."""
        index = page("docs/README.md")
        linked = {(index.path.parent / target.partition("#")[0]).resolve() for _line, target in index.links}
        pages = [each for each in all_pages() if each.name.startswith("docs/") and each != index]
        lost = [each.name for each in pages if each.path not in linked and "reports" not in each.path.parts]
        self.assertEqual([], lost)


class Words(unittest.TestCase):
    def test_nothing_speaks_of_the_workshop(self):
        """No page mentions tickets, or paths of the machine that it was written on."""
        paths = [place for place in found(PATH) if not place.partition(": ")[2].startswith(FOLDERS)]
        self.assertEqual([], found(FORBIDDEN) + paths)

    def test_files_that_are_mentioned_exist(self):
        """Each Markdown file that a page names is there."""
        names = {each.path.name for each in all_pages()}
        mentioned = found(re.compile(r"[\w-]+\.md\b"))
        self.assertEqual([], [place for place in mentioned if place.partition(": ")[2] not in names])

    def test_nothing_praises(self):
        """The pages say what is, and leave the judgement to their readers."""
        self.assertEqual([], found(PRAISE))


def leads_somewhere(source: Page, target: str) -> bool:
    path, _, anchor = unquote(target).partition("#")
    file = (source.path.parent / path).resolve() if path else source.path
    if not file.exists() or not file.is_relative_to(ROOT):
        return False
    return not anchor or anchor in Page(Path(file)).anchors


def found(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{each.name}:{number}: {match[0]}"
        for each in all_pages()
        for number, line in enumerate(each.text.splitlines(), start=1)
        for match in pattern.finditer(line)
    ]
