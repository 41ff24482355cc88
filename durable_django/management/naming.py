"""What lists call a workflow: its name, but a task by its own path, since all tasks run in workflows of two names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django.db.models.functions import Substr

from durable_django.models.workflow import Workflow
from durable_django.tasks.names import IN_LOOP, IN_THREAD

#: So much of the arguments holds the path of a task, which stands first.
_BEGINNING = 300
_PATH = re.compile(r'\{"args":\["([\w.]+)"')


def spoken_name(workflow: Workflow, arguments: str | None) -> str:
    """Return what to call one workflow, whose arguments, or the beginning of them, were read."""
    is_task = workflow.name in {IN_THREAD, IN_LOOP}
    path = _PATH.match(arguments or "") if is_task else None
    return path[1] if path else str(workflow.name)


def spoken_names(workflows: Sequence[Any]) -> dict[str, str]:
    """
    Return what to call each workflow, by id.

    One query for all the tasks among them, which reads the beginning of their arguments; none if there are none. A
    task whose path cannot be read is called by the name of its workflow.
    """
    names = {workflow.pk: str(workflow.name) for workflow in workflows}
    tasks = [workflow for workflow in workflows if workflow.name in {IN_THREAD, IN_LOOP}]
    if tasks:
        rows = Workflow.objects.using(tasks[0]._state.db).filter(pk__in=[task.pk for task in tasks])
        found = (
            (pk, _PATH.match(text or "")) for pk, text in rows.values_list("pk", Substr("arguments", 1, _BEGINNING))
        )
        names |= {pk: path[1] for pk, path in found if path}
    return names
