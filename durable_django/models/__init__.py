"""The tables. Read them with the ORM as you like; change them through the verbs of their querysets and rows."""

from durable_django.models.event import Event, EventChange
from durable_django.models.incident import Incident
from durable_django.models.message import Message
from durable_django.models.operation import Operation
from durable_django.models.overview import Overview
from durable_django.models.queue import Queue, QueueStart
from durable_django.models.schedule import Schedule
from durable_django.models.step import Step
from durable_django.models.stream import StreamEntry
from durable_django.models.worker import Worker
from durable_django.models.workflow import Workflow

__all__ = [
    "Event",
    "EventChange",
    "Incident",
    "Message",
    "Operation",
    "Overview",
    "Queue",
    "QueueStart",
    "Schedule",
    "Step",
    "StreamEntry",
    "Worker",
    "Workflow",
]
