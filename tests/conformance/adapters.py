"""The backend in the roles of the two that Django's tests are written for."""

from durable_django.engine import context
from durable_django.models import Workflow
from durable_django.tasks import DurableBackend
from durable_django.testing import run_until_idle


class QueueOnly(DurableBackend):
    """Plays DummyBackend: keeps what was enqueued at hand."""

    def __init__(self, alias, params):
        super().__init__(alias, params)
        self.results = []

    def enqueue(self, task, args, kwargs):
        result = super().enqueue(task, args, kwargs)
        self.results.append(result)
        return result

    def clear(self):
        """Forget everything, as DummyBackend does."""
        self.results.clear()
        Workflow._base_manager.all().delete()


class RunNow(DurableBackend):
    """Plays ImmediateBackend: a task has been run when it is enqueued."""

    def enqueue(self, task, args, kwargs):
        result = super().enqueue(task, args, kwargs)
        if context.current_run() is None:
            run_until_idle()
        return self.get_result(result.id)
