"""What a measurement is: sides that take turns, figures that they return, targets that the figures must reach."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

#: Threads of every worker process, on every side.
THREADS = 8

#: What the sides of one round returned: {"durable": {"steps": 1234.5}, "dbos": {...}}
Figures = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Target:
    """
    A demand on durable_django's figure, by itself or divided by another side's in the same round.

    database  "postgresql" or "sqlite"
    of        the other side; "" for the figure itself
    at_least  or at_most: the bound; a ratio of rates is durable / other, of times too
    """

    database: str
    of: str = ""
    at_least: float | None = None
    at_most: float | None = None

    def measured(self, figure: str, rounds: list[Figures]) -> float | None:
        """Return the median over the rounds; None if a side is missing."""
        values = []
        for figures in rounds:
            mine, others = figures.get("durable", {}).get(figure), figures.get(self.of, {}).get(figure)
            if mine is None or (self.of and not others):
                return None
            values.append(mine / others if self.of and others else mine)
        return median(values) if values else None

    def is_met(self, measured: float) -> bool:
        is_enough = self.at_least is None or measured >= self.at_least
        return is_enough and (self.at_most is None or measured <= self.at_most)

    def __str__(self) -> str:
        bound = self.at_least if self.at_least is not None else self.at_most
        sign = "≥" if self.at_least is not None else "≤"
        return f"{sign} {bound:.3g}" + (f" x {self.of}" if self.of else "")


@dataclass(frozen=True)
class Row:
    """
    One line of the table.

    figure  its key in what the sides return
    title   with the unit
    """

    figure: str
    title: str
    targets: tuple[Target, ...] = ()

    def targets_on(self, database: str) -> list[Target]:
        return [target for target in self.targets if target.database == database]


@dataclass(frozen=True)
class Measurement:
    """
    One measurement; the module `benchmarks.<name>` has a function for each side, called in a new process.

    size, quick_size  given to the functions, in a full run and with --quick
    rows              what the table shows of it
    sides             in the order of their turns
    fills             which database a side needs, as function of filling.py; "django" or as given
    needs             the kind of database that a side needs, if it does not run on all
    is_kept           all rounds use the same database, since it takes long to fill
    """

    name: str
    size: int
    quick_size: int
    rows: tuple[Row, ...]
    sides: tuple[str, ...] = ("durable", "dbos")
    fills: dict[str, str] = field(default_factory=dict)
    needs: dict[str, str] = field(default_factory=dict)
    is_kept: bool = False

    def fill_of(self, side: str) -> str:
        return self.fills.get(side, "dbos" if side == "dbos" else "django")
