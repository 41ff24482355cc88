"""
Running: the two workflows in which tasks run, a step for each attempt.

    durable_django.task        in a thread
    durable_django.async_task  in an event loop, for tasks that are `async def`

An attempt that fails is a failed step; a pause and the next step follow, as often as the task's options allow. So a
crash between two attempts loses neither the count nor the errors, and one behind the last attempt runs nothing again.
A task in a thread that is called once, whatever comes of it, needs no record beside the outcome of its workflow.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from durable_django.api.workflows import workflow
from durable_django.engine import sleeping, stepping
from durable_django.tasks.execution import Execution
from durable_django.tasks.names import IN_LOOP, IN_THREAD


@workflow(name=IN_THREAD)
def run_task(
    task: str,
    args: list[Any],
    kwargs: dict[str, Any],
    **facts: Any,
) -> Any:
    """Run the task of that path, again after a failure as its options say. Return what came of it, and the worker."""
    execution = Execution.begin(task, args, kwargs, facts)
    if execution.is_recorded_by_its_end:
        return execution.run_once()
    for number in count(1):
        try:
            return execution.finish(stepping.perform(execution.step(number), (), {}))
        except Exception as error:
            delay = execution.fail(number, error)
            if delay is None:
                raise
        sleeping.sleep(delay)
    return None


@workflow(name=IN_LOOP)
async def run_async_task(
    task: str,
    args: list[Any],
    kwargs: dict[str, Any],
    **facts: Any,
) -> Any:
    """See run_task()."""
    execution = await Execution.abegin(task, args, kwargs, facts)
    for number in count(1):
        try:
            return execution.finish(await stepping.aperform(execution.step(number), (), {}))
        except Exception as error:
            delay = execution.fail(number, error)
            if delay is None:
                raise
        await sleeping.asleep(delay)
    return None
