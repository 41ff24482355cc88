"""
Durable workflows in a Django project's own database.

    from durable_django import step, workflow

Every public name is resolved on first use, so that this module can be imported before Django's apps are ready.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from durable_django.api.handles import WorkflowHandle, aget_handle, get_handle
    from durable_django.api.queues import Queue
    from durable_django.api.steps import StepDefinition, run_step, step
    from durable_django.api.workflows import Arguments, WorkflowDefinition, astart, definition_of, start, workflow
    from durable_django.base.payloads import register_codec
    from durable_django.base.retries import Retry
    from durable_django.engine.context import StepInfo, WorkflowInfo, current_step, current_workflow
    from durable_django.exceptions import (
        BrokenTransaction,
        DuplicateWorkflow,
        DurableError,
        EventTimeout,
        InsideTransaction,
        NotReplayable,
        NotSerializable,
        OutsideWorkflow,
        PayloadError,
        PayloadTooLarge,
        ReceiveTimeout,
        RecoveriesExhausted,
        RegistrationError,
        ResultTimeout,
        RetriesExhausted,
        StepAborted,
        StepError,
        StepTimeout,
        UnknownQueue,
        UnknownWorkflow,
        UnreadablePayload,
        WorkflowCancelled,
        WorkflowConflict,
        WorkflowError,
        WorkflowFailed,
        WorkflowFinished,
        WorkflowNotFound,
    )

__version__ = "0.1.0"

_ROOMS = {
    "Arguments": "api.workflows",
    "BrokenTransaction": "exceptions",
    "DuplicateWorkflow": "exceptions",
    "DurableError": "exceptions",
    "EventTimeout": "exceptions",
    "InsideTransaction": "exceptions",
    "NotReplayable": "exceptions",
    "NotSerializable": "exceptions",
    "OutsideWorkflow": "exceptions",
    "PayloadError": "exceptions",
    "PayloadTooLarge": "exceptions",
    "Queue": "api.queues",
    "ReceiveTimeout": "exceptions",
    "RecoveriesExhausted": "exceptions",
    "RegistrationError": "exceptions",
    "ResultTimeout": "exceptions",
    "RetriesExhausted": "exceptions",
    "Retry": "base.retries",
    "StepAborted": "exceptions",
    "StepDefinition": "api.steps",
    "StepError": "exceptions",
    "StepInfo": "engine.context",
    "StepTimeout": "exceptions",
    "UnknownQueue": "exceptions",
    "UnknownWorkflow": "exceptions",
    "UnreadablePayload": "exceptions",
    "WorkflowCancelled": "exceptions",
    "WorkflowConflict": "exceptions",
    "WorkflowDefinition": "api.workflows",
    "WorkflowError": "exceptions",
    "WorkflowFailed": "exceptions",
    "WorkflowFinished": "exceptions",
    "WorkflowHandle": "api.handles",
    "WorkflowInfo": "engine.context",
    "WorkflowNotFound": "exceptions",
    "aget_handle": "api.handles",
    "astart": "api.workflows",
    "current_step": "engine.context",
    "current_workflow": "engine.context",
    "definition_of": "api.workflows",
    "get_handle": "api.handles",
    "register_codec": "base.payloads",
    "run_step": "api.steps",
    "start": "api.workflows",
    "step": "api.steps",
    "workflow": "api.workflows",
}

__all__ = [
    "Arguments",
    "BrokenTransaction",
    "DuplicateWorkflow",
    "DurableError",
    "EventTimeout",
    "InsideTransaction",
    "NotReplayable",
    "NotSerializable",
    "OutsideWorkflow",
    "PayloadError",
    "PayloadTooLarge",
    "Queue",
    "ReceiveTimeout",
    "RecoveriesExhausted",
    "RegistrationError",
    "ResultTimeout",
    "RetriesExhausted",
    "Retry",
    "StepAborted",
    "StepDefinition",
    "StepError",
    "StepInfo",
    "StepTimeout",
    "UnknownQueue",
    "UnknownWorkflow",
    "UnreadablePayload",
    "WorkflowCancelled",
    "WorkflowConflict",
    "WorkflowDefinition",
    "WorkflowError",
    "WorkflowFailed",
    "WorkflowFinished",
    "WorkflowHandle",
    "WorkflowInfo",
    "WorkflowNotFound",
    "aget_handle",
    "astart",
    "current_step",
    "current_workflow",
    "definition_of",
    "get_handle",
    "register_codec",
    "run_step",
    "start",
    "step",
    "workflow",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value = getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
