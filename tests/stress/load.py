"""The load: workflows are started all the time, some are cancelled, paused or rolled back, and every answer is kept."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.db import DatabaseError, InterfaceError, connections, transaction

from durable_django.models import Workflow
from tests.sample.stressed import WORKFLOWS

T = TypeVar("T")

#: So many may be unfinished: what is started is to be run during the chaos, not after it.
BACKLOG = 150
_WEIGHTS = {"quick": 8, "many_steps": 2, "slow": 1, "retrying": 3, "keeps_calm": 4, "ends_badly": 2}


@dataclass
class Promises:
    """
    What callers were told.

    started    ids of starts that have returned and are committed
    undone     ids of starts whose transaction was rolled back
    cancelled  what cancel() has answered, by id
    outcomes   the first terminal state that was seen, by id
    changed    ids whose terminal state was seen to change
    """

    started: list[str] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)
    cancelled: dict[str, bool] = field(default_factory=dict)
    outcomes: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    changed: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)


class Load(threading.Thread):
    """The callers, in one thread."""

    def __init__(self, seed: int) -> None:
        super().__init__(name="load", daemon=True)
        self.chance = random.Random(seed)
        self.promises = Promises()
        self.stopping = threading.Event()
        self.error: BaseException | None = None
        self._number = 0
        self._observed_at = 0.0

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                self._turn()
                self.stopping.wait(0.05)
        except BaseException as error:
            self.error = error
        finally:
            connections.close_all()

    def _turn(self) -> None:
        if time.monotonic() - self._observed_at > 1:
            insist(self.observe)
            self._observed_at = time.monotonic()
        if insist(lambda: Workflow.objects.filter(finished_at=None).count()) < BACKLOG:
            for _start in range(10):
                self._start()
        if self.chance.random() < 0.3:
            self._disturb_one()

    def _start(self) -> None:
        self._number += 1
        kind = self.chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        key = f"{kind}-{self._number}"
        if self.chance.random() < 0.03:
            insist(lambda: self._start_and_undo(kind, key))
            self.promises.undone.append(key)
            return
        # Asked again, with the same id, if no answer came: it may have been started all the same.
        insist(lambda: WORKFLOWS[kind].using(id=key).start(key))
        self.promises.started.append(key)

    def _start_and_undo(self, kind: str, key: str) -> None:
        with transaction.atomic():
            WORKFLOWS[kind].using(id=key).start(key)
            transaction.set_rollback(True)

    def _disturb_one(self) -> None:
        """Be an operator: cancel one of the younger workflows, or pause and resume it."""
        key = self.chance.choice(self.promises.started[-100:])
        if self.chance.random() < 0.5:
            insist(lambda: Workflow.objects.get(pk=key).pause("stress"))
            insist(lambda: Workflow.objects.filter(pk=key).paused().resume())
        elif key not in self.promises.cancelled:
            # A verb whose answer is lost has no known answer; the state of the row is its answer then.
            self.promises.cancelled[key] = insist(lambda: self._cancel(key))

    def _cancel(self, key: str) -> bool:
        row = Workflow.objects.get(pk=key)
        return row.cancel("stress") or (row.refresh_from_db() or row.status == "cancelled")

    def observe(self) -> None:
        """Remember each new terminal state, and look whether one that was seen has changed."""
        for pk, *outcome in Workflow.objects.finished().values_list("pk", "status", "finished_at", "output"):
            before = self.promises.outcomes.setdefault(pk, tuple(outcome))
            if before != tuple(outcome):
                self.promises.changed[pk] = [before, tuple(outcome)]


def insist(act: Callable[[], T]) -> T:
    """Do something until the database has answered."""
    while True:
        try:
            return act()
        except (DatabaseError, InterfaceError):
            connections.close_all()
            time.sleep(0.1)
