"""
Pages: the Markdown files of the project, taken apart into what the tests look at.

A fenced block of Python is run unless a comment `<!-- not run: <reason> -->` stands right above it. A comment that
begins with `<!-- check` holds code that readers do not see: it prepares a block or looks at what came of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

_FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>```+)(?P<language>\w*)[^\n]*\n(?P<code>.*?)^(?P=indent)(?P=fence)[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
_CHECK = re.compile(r"^<!-- check\n(?P<code>.*?)^-->$", re.MULTILINE | re.DOTALL)
_NOT_RUN = re.compile(r"<!-- not run: [^\n]+ -->\s*\Z")
_HEADING = re.compile(r"^#{1,6} +(?P<title>.+?) *$", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|\[[^\[\]]*\])*\]\((?P<target>[^()\s]+)\)")
_SPAN = re.compile(r"`[^`\n]+`")
_ANCHOR_DROPS = re.compile(r"[^\w\- ]")


@dataclass(frozen=True)
class Block:
    """One fenced block, or one check; `line` is that of its first line of code in the page."""

    language: str
    code: str
    line: int
    is_run: bool
    is_check: bool = False


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def blocks(self) -> list[Block]:
        found = {**{match.start(): self._fenced(match) for match in _FENCE.finditer(self.text)}, **self._checks()}
        return [found[start] for start in sorted(found)]

    def code_in(self, language: str) -> list[str]:
        """Return the blocks of a language, in order."""
        return [block.code for block in self.blocks if block.language == language and not block.is_check]

    @cached_property
    def prose(self) -> str:
        """Return the text without fenced blocks and comments, on the same lines."""
        return re.sub(r"<!--.*?-->", _blank, _FENCE.sub(_blank, self.text), flags=re.DOTALL)

    @property
    def links(self) -> Iterator[tuple[int, str]]:
        """Yield line and target of each link; what looks like one inside a code span is none."""
        text = _SPAN.sub(_blank, self.prose)
        for match in _LINK.finditer(text):
            yield self.prose.count("\n", 0, match.start()) + 1, match["target"]

    @cached_property
    def anchors(self) -> set[str]:
        """Return the anchors that GitHub gives to the headings."""
        return {_anchor_of(match["title"]) for match in _HEADING.finditer(self.prose)}

    @cached_property
    def sections(self) -> dict[str, str]:
        """Return the text of each section by its title without code marks, sections inside it included."""
        matches = list(re.finditer(r"^(?P<level>#{1,6}) +(?P<title>.+?) *$", self.prose, re.MULTILINE))
        return {match["title"].replace("`", ""): self._section(matches, number) for number, match in enumerate(matches)}

    def _section(self, matches: list[re.Match[str]], number: int) -> str:
        level = len(matches[number]["level"])
        ends = [match.start() for match in matches[number + 1 :] if len(match["level"]) <= level]
        return self.text[matches[number].start() : ends[0] if ends else len(self.text)]

    def _fenced(self, match: re.Match[str]) -> Block:
        indent = match["indent"]
        lines = [line.removeprefix(indent) for line in match["code"].splitlines(keepends=True)]
        is_run = match["language"] == "python" and not _NOT_RUN.search(self.text[: match.start()])
        return Block(match["language"], "".join(lines), self._line(match.start("code")), is_run)

    def _checks(self) -> dict[int, Block]:
        return {
            match.start(): Block("python", match["code"], self._line(match.start("code")), is_run=True, is_check=True)
            for match in _CHECK.finditer(self.text)
        }

    def _line(self, offset: int) -> int:
        return self.text.count("\n", 0, offset) + 1


def _blank(match: re.Match[str]) -> str:
    """Return as many blanks and line ends as the match had characters, so that offsets stay."""
    return re.sub(r"[^\n]", " ", match[0])


def _anchor_of(title: str) -> str:
    return _ANCHOR_DROPS.sub("", title.lower()).replace(" ", "-")


def all_pages() -> list[Page]:
    """Return every Markdown file that readers are led to."""
    top = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md")]
    return [Page(path) for path in [*top, *sorted((ROOT / "docs").rglob("*.md"))]]


def page(name: str) -> Page:
    """Return the page of that name, relative to the top folder."""
    return Page(ROOT / name)
