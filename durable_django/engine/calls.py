"""What a step is (StepSpec), and one call of it in one run (Call)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from durable_django.base import clock
from durable_django.base.interrupts import Interrupt, LeaseLost
from durable_django.base.retries import Retry
from durable_django.engine import context
from durable_django.engine.checkpoints import Entry
from durable_django.engine.context import Run, StepInfo
from durable_django.exceptions import StepAborted, StepTimeout

_LONGEST_KEY = 255


@dataclass(eq=False, kw_only=True)
class StepSpec:
    """One step as declared."""

    name: str
    func: Callable[..., Any]
    is_atomic: bool = False
    retry: Retry | None = None
    timeout_seconds: float | None = None
    kind: str = "step"


@dataclass(eq=False)
class Call:
    """
    One call of a step at one position of a run.

    retries       failed calls so far, earlier attempts included
    is_retrying   the row without outcome exists
    is_timed_out  the heartbeat thread has recorded a timeout: whatever the body does now comes too late
    """

    run: Run
    spec: StepSpec
    position: int
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    retries: int = 0
    is_retrying: bool = False
    is_timed_out: bool = False
    began_at: float = field(default=0.0)

    @property
    def info(self) -> StepInfo:
        """What current_step() says in the body."""
        return StepInfo(self.spec.name, self.position, self.retries + 1, self._idempotency_key())

    @property
    def timeout_seconds(self) -> float | None:
        """The longest time that the body may take."""
        return self.spec.timeout_seconds

    def body(self) -> Any:
        """
        Call the function. Whatever it raises is an Exception, an Interrupt or KeyboardInterrupt.

        Raises StepTimeout if it returned later than its timeout allows.
        """
        self.began_at = clock.elapsed_seconds()
        try:
            with context.stepping(self.info):
                value = self.spec.func(*self.args, **self.kwargs)
        except (Exception, Interrupt, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise StepAborted(step=self.spec.name, error=type(error).__name__) from error
        if self.spec.timeout_seconds is not None and self.seconds > self.spec.timeout_seconds:
            raise self.timeout()
        return value

    def require_in_time(self) -> None:
        """Raise LeaseLost in a thread whose timeout the heartbeat has recorded: the workflow goes on elsewhere."""
        if self.is_timed_out:
            raise LeaseLost

    def timeout(self) -> StepTimeout:
        """Return the error of a body that takes too long."""
        return StepTimeout(step=self.spec.name, timeout=self.spec.timeout_seconds, attempt=self.retries + 1)

    @property
    def seconds(self) -> float:
        """How long the body has been running."""
        return clock.elapsed_seconds() - self.began_at

    def entry(self, *, output: str | None = None, error: str | None = None) -> Entry:
        """Return the checkpoint of this call."""
        return Entry(
            run=self.run,
            position=self.position,
            name=self.spec.name,
            kind=self.spec.kind,
            output=output,
            error=error,
            retries=self.retries,
            is_retrying=self.is_retrying,
            seconds=self.seconds,
        )

    def _idempotency_key(self) -> str:
        """Return workflow id and position: the same at every retry, replay and recovery, another one in a fork."""
        key = f"{self.run.workflow.pk}/{self.position}"
        if len(key) <= _LONGEST_KEY and key.isascii():
            return key
        return hashlib.blake2b(key.encode(), digest_size=32).hexdigest()
