"""
Count a folder: one child workflow for each file, gathered into one report.

Children run on whatever workers there are, at the same time. Their parent waits for them as a row: it holds no thread,
so that a thousand children on one thread are as safe as ten.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from durable_django import gather, step, workflow
from example_project.documents import counting
from example_project.documents.counting import Count, Unreadable

FOLDER = Path(__file__).parent / "texts"


@dataclass(frozen=True)
class Line:
    """One line of the report: what is in a file, or why that is not known."""

    file: str
    count: Count | None = None
    problem: str = ""


@workflow
def count_folder() -> list[Line]:
    """Count every file of the folder. Return a line for each, also for those that cannot be read."""
    return gather(*(partial(count_or_explain, file) for file in list_files()))


def count_or_explain(file: str) -> Line:
    """
    Count one file in a child; a branch of gather().

    The child fails if it cannot read its file, and its error is raised here as itself. That is a line of the report.
    Any other error is a mistake in the code: the count fails with it.
    """
    child = count_file.using(attributes={"file": file})
    try:
        return Line(file, child(file))
    except Unreadable as error:
        return Line(file, problem=str(error))


@workflow
def count_file(file: str) -> Count:
    """Count one file: a workflow of its own, with its own retries, its own page in the admin and its own end."""
    return count_text(file)


@step
def list_files() -> list[str]:
    """Return the names of the files. Recorded: a replay counts these, whatever has come and gone meanwhile."""
    return sorted(path.name for path in FOLDER.glob("*.txt"))


@step
def count_text(file: str) -> Count:
    """Read a file and count what is in it."""
    return counting.count(FOLDER / file)
