"""Verbs of operators in the body of a workflow: each is one step, which a replay answers from its row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from durable_django.base import ids
from durable_django.engine import context, stepping
from durable_django.engine.calls import StepSpec
from durable_django.exceptions import OutsideWorkflow
from durable_django.models import verbs


class Recorder:
    """How the verbs of rows are recorded: see models/verbs.py."""

    def perform(self, verb: str, act: Callable[[], Any], *, is_atomic: bool) -> Any:
        """
        Do what a verb does; in the body of a workflow as a step, anywhere else at once.

        is_atomic  one transaction with the record of the step; else it is a plain step, and may happen again after a
                   crash

        Raises OutsideWorkflow in the body of an async workflow, whose event loop the database must not hold up.
        """
        if not self.is_in_body():
            return act()
        run = context.current_run()
        if run is not None and run.board is not None and not context.has_taken_places():
            raise OutsideWorkflow(
                operation=f"{verb}()",
                where="in a step, in a workflow that is not async, or outside of workflows",
                advice="Here it would hold up every other async workflow of the worker: put it into a step.",
            )
        return stepping.perform(StepSpec(name=verb, func=act, is_atomic=is_atomic, kind=verb), (), {})

    def is_in_body(self) -> bool:
        """Whether this is the code of a workflow itself, not of a step."""
        return context.current_run() is not None and context.current_step() is None

    def new_id(self, *parts: str) -> str:
        """Return an id for what a verb makes; in a step, the one that the step makes again if it runs again."""
        step = context.current_step()
        return ids.new_id() if step is None else ids.shortened(step.key_of(*parts))


def connect() -> None:
    """Let the verbs of rows use this engine; connecting twice changes nothing."""
    verbs.connect(Recorder())
