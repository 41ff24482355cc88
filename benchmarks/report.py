"""The report: facts of the machine, a table with every target, and how far the rounds were apart, as markdown."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measurement import Row, Target
from benchmarks.rounds import Result, is_installed

_TITLES = {"durable": "durable_django", "raw": "raw driver", "orm": "ORM create()"}


def table(results: list[Result]) -> str:
    """Return a table for each set of sides that were measured together."""
    tables: dict[tuple[str, ...], list[Result]] = {}
    for result in results:
        tables.setdefault(_columns_of(result), []).append(result)
    return "\n\n".join(_table(sides, found) for sides, found in tables.items())


def _columns_of(result: Result) -> tuple[str, ...]:
    usual = ("durable", "dbos", "raw", "orm")
    return usual if set(result.measurement.sides) <= set(usual) else result.measurement.sides


def _table(sides: tuple[str, ...], results: list[Result]) -> str:
    titles = ["measurement", "database", *(_TITLES.get(side, side) for side in sides), "target", "measured", ""]
    lines = [_line(titles), _line(["---"] * len(titles))]
    rows = ((result, row) for result in results for row in result.measurement.rows)
    lines += [_line(cells) for result, row in rows for cells in _cells(result, row, sides)]
    return "\n".join(lines)


def spread(results: list[Result]) -> str:
    """Return every round's figures: medians of a busy machine want to be judged."""
    lines = [_line(["measurement", "database", "side", "rounds"]), _line(["---"] * 4)]
    for result in results:
        for row in result.measurement.rows:
            for side in result.measurement.sides:
                values = [figures.get(side, {}).get(row.figure) for figures in result.rounds]
                if any(value is not None for value in values):
                    lines.append(_line([row.title, result.database, side, ", ".join(map(_number, values))]))
    return "\n".join(lines)


def _cells(result: Result, row: Row, sides: tuple[str, ...]) -> Iterator[list[str]]:
    """Yield a line for each target; the figures stand in the first one."""
    figures = [row.title, result.database, *(_figure(result, row, side) for side in sides)]
    if figures[2] == "":
        return
    targets: list[Target | None] = [*row.targets_on(result.database)]
    for target in targets or [None]:
        yield [*figures, *_verdict(result, row, target)]
        figures = ["", result.database, *([""] * len(sides))]


def _figure(result: Result, row: Row, side: str) -> str:
    if side in result.measurement.sides and not is_installed(side):
        return "not installed"
    value = result.median_of(side, row.figure)
    return "" if value is None else _number(value)


def _verdict(result: Result, row: Row, target: Target | None) -> list[str]:
    if target is None:
        return ["", "", ""]
    measured = target.measured(row.figure, result.rounds)
    if measured is None:
        return [str(target), "", "not measured"]
    return [str(target), f"{measured:.3g}", "ok" if target.is_met(measured) else "**missed**"]


def _number(value: float | None) -> str:
    if value is None:
        return "failed"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
