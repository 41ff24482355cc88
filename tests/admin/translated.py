"""Rows in all the states of which pages say something, with nothing in plain letters but names that begin with zq."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone
from django.utils.module_loading import import_string

from durable_django.base import payloads
from durable_django.base.clock import Later
from durable_django.models import Event, Message, Queue, QueueStart, Schedule, Step, StreamEntry, Worker, Workflow
from durable_django.models.stops import DEADLINE_PASSED

VALUE = payloads.encode(["zqvalue"])
CALL = payloads.encode_call(("zqargument",), {})
SOON, AGO = Later(3600.0), Later(-3600.0)
TOO_LONG = payloads.encode("zq" * 60_000)


class ZqError(Exception):
    """What goes wrong in these rows."""


def error():
    try:
        # With frames of a library.
        import_string("zq")
    except ImportError as raised:
        found = ZqError("zqmessage").with_traceback(raised.__traceback__)
    found.__cause__ = ZqError("zqcause").with_traceback(found.__traceback__)
    return payloads.encode_error(found)


#: Workflows by id: what is other than of one that is queued.
WORKFLOWS: dict[str, dict[str, Any]] = {
    "zq-queued": {},
    "zq-in-paused": {"queue": "zq-paused"},
    "zq-in-full": {"queue": "zq-full"},
    "zq-in-full-partition": {"queue": "zq-partitioned", "partition_key": "zqkey"},
    "zq-in-rated": {"queue": "zq-rated"},
    "zq-in-rated-partition": {"queue": "zq-rated-partitions", "partition_key": "zqkey"},
    "zq-unserved": {"queue": "zq-unserved"},
    "zq-later": {"run_after": SOON},
    "zq-lost": {"run_after": SOON, "recoveries": 2, "attempt": 2},
    "zq-suspect": {"recoveries": 4, "attempt": 4},
    "zq-codeless": {"waiting_for": "code", "run_after": SOON},
    "zq-not-let-go": {"worker": "zq-alive", "attempt": 1},
    "zq-holds": {"status": "running", "worker": "zq-alive", "queue": "zq-full", "attempt": 2, "started_at": AGO},
    "zq-holds-partition": {
        "status": "running", "worker": "zq-alive", "queue": "zq-partitioned", "partition_key": "zqkey",
    },
    "zq-of-silent": {"status": "running", "worker": "zq-silent", "attempt": 1, "started_at": AGO},
    "zq-of-draining": {"status": "running", "worker": "zq-draining", "attempt": 1, "started_at": AGO},
    "zq-of-lost": {"status": "running", "worker": "zq-lost", "attempt": 1, "started_at": AGO},
    "zq-sleeps": {"status": "waiting", "waiting_for": "time", "run_after": SOON},
    "zq-woken": {"status": "waiting", "waiting_for": "time", "run_after": AGO},
    "zq-receives": {"status": "waiting", "waiting_for": "message:zqtopic"},
    "zq-receives-any": {"status": "waiting", "waiting_for": "message:"},
    "zq-awaits-event": {"status": "waiting", "waiting_for": "event:zq-done:zqkey"},
    "zq-awaits-odd-event": {"status": "waiting", "waiting_for": "event:zq:zq:zq"},
    "zq-awaits-end": {"status": "waiting", "waiting_for": "child:zq-queued"},
    "zq-awaits-children": {"status": "waiting", "waiting_for": "child:zq-queued"},
    "zq-child-1": {"parent_id": "zq-awaits-children"},
    "zq-child-2": {"parent_id": "zq-awaits-children"},
    "zq-awaits-one": {"status": "waiting", "waiting_for": "*"},
    "zq-awaits-several": {"status": "waiting", "waiting_for": "*"},
    "zq-awaits-nothing": {"status": "waiting", "waiting_for": "*"},
    "zq-retries-step": {"status": "waiting", "waiting_for": "retry", "run_after": SOON},
    "zq-retries": {"status": "waiting", "waiting_for": "retry", "run_after": SOON, "failures": 1, "error": error()},
    "zq-paused": {"status": "paused"},
    "zq-paused-held": {"status": "paused", "worker": "zq-alive", "attempt": 1},
    "zq-past-deadline": {"status": "cancelled", "reason": DEADLINE_PASSED},
    "zq-pruned": {"status": "succeeded", "arguments": "", "pruned_at": AGO, "finished_at": AGO},
    "zq-failed": {"status": "failed", "error": error(), "started_at": AGO, "finished_at": Later(-60.0), "attempt": 3},
    "zq-done": {
        "status": "succeeded", "output": VALUE, "started_at": AGO, "finished_at": Later(-0.5), "attempt": 2,
        "recoveries": 1, "failures": 1, "priority": 3, "is_async": True, "version": "zqv", "application": "zqa",
        "started_by": "zquser", "schedule": "zqschedule", "deduplication_key": "zqdedup", "partition_key": "zqkey",
        "deadline": SOON, "trace_context": "zqtrace", "attributes": {"zqname": "zqvalue"}, "claimed_at": Later(-50.0),
        "run_after": AGO, "forked_from_id": "zq-failed", "parent_id": "zq-holds",
    },
    "zq-large": {"status": "succeeded", "output": TOO_LONG, "started_at": AGO, "finished_at": AGO},
}  # fmt: skip
STEPS: dict[str, list[dict[str, Any]]] = {
    "zq-done": [
        {"output": VALUE, "retries": 2, "finished_at": Later(-3590.0), "started_at": AGO},
        {"kind": "sleep", "output": VALUE, "started_at": Later(-3590.0), "finished_at": Later(-10.0)},
        {"output": TOO_LONG, "started_at": Later(-10.0), "finished_at": Later(-9.0)},
    ],
    "zq-failed": [{"error": error(), "finished_at": Later(-60.0), "started_at": AGO}],
    "zq-sleeps": [{"kind": "sleep", "next_retry_at": SOON}],
    "zq-woken": [{"kind": "sleep", "next_retry_at": AGO}],
    "zq-retries-step": [{"retries": 1, "next_retry_at": SOON, "error": error(), "started_at": AGO}],
    "zq-awaits-one": [{"kind": "receive", "name": "receive zqtopic"}],
    "zq-awaits-several": [
        {"kind": "result", "next_retry_at": SOON},
        {"kind": "get_event"},
        {"kind": "sleep", "next_retry_at": SOON},
        {"retries": 1, "next_retry_at": SOON},
        {"kind": "receive", "name": "receive"},
    ],
}
QUEUES: dict[str, dict[str, Any]] = {
    "zq-open": {},
    "zq-paused": {"is_paused": True},
    "zq-full": {"concurrency": 1, "worker_concurrency": 1, "declared": {"concurrency": 1}},
    "zq-rated": {"rate_limit": 1, "rate_seconds": 7200.0},
    "zq-partitioned": {"is_partitioned": True, "partition_concurrency": 1, "concurrency": 5, "is_edited": True},
    "zq-rated-partitions": {"is_partitioned": True, "partition_rate_limit": 1, "partition_rate_seconds": 7200.0},
    "zq-unserved": {},
}
SCHEDULES: dict[str, dict[str, Any]] = {
    "zq-on": {"encoded_context": VALUE, "cron": "30 2 * * 1-5"},
    "zq-broken": {"error": "zqerror", "cron": "*/5 * 1 1,2 *", "timezone": "zq"},
    "zq-paused": {"is_paused": True, "cron": "0 9-17 1,2 * 1", "overlap": "queue", "catch_up": "all"},
    "zq-retired": {"is_retired": True, "cron": "*/10 8-12 * * 6,0", "overlap": "skip", "catch_up": "skip"},
    "zq-edited": {"declared": {"cron": "0 0 * * *"}, "cron": "5 */2 l * *", "next_at": None},
}


def make_rows() -> Group:
    """Make them all; return an object that a workflow is about."""
    Schedule.objects.all().delete()
    Queue.objects.all().delete()
    for name, columns in QUEUES.items():
        Queue.objects.create(name=name, **columns)
    # Not by save(), which refuses what is broken.
    usual = {"workflow": "zqworkflow", "timezone": "UTC"}
    Schedule.objects.bulk_create(Schedule(**{"name": name, **usual, **columns}) for name, columns in SCHEDULES.items())
    make_workers()
    for number, (key, columns) in enumerate(WORKFLOWS.items()):
        make_workflow(key, number, columns)
    for key, steps in STEPS.items():
        for number, columns in enumerate(steps, 1):
            Step.objects.create(workflow_id=key, position=number, **{"name": "zqstep", "attempt": 1, **columns})
    QueueStart.objects.create(queue="zq-rated", workflow="zq")
    QueueStart.objects.create(queue="zq-rated-partitions", workflow="zq", partition_key="zqkey")
    make_mail()
    return make_object()


def make_workers():
    served = {"queues": [name for name in QUEUES if name != "zq-unserved"]}
    facts: dict[str, Any] = {"hostname": "zqhost", "pid": 7, "threads": 4, **served}
    Worker.objects.register("zq-alive", 600, name="zqworker", **facts)
    Worker.objects.register("zq-silent", 60, **facts)
    Worker.objects.filter(pk="zq-silent").update(heartbeat_at=Later(-100.0))
    Worker.objects.register("zq-draining", 600, is_draining=True, **facts)
    # However long the pages take.
    Worker.objects.exclude(pk="zq-silent").update(heartbeat_at=SOON)
    Worker.objects.register("zq-lost", 600, **facts)
    Worker.objects.filter(pk="zq-lost").update(heartbeat_at=Later(-900.0), lease_expires_at=Later(-300.0))
    Worker.objects.register("zq-gone", 1, **facts)
    Worker.objects.filter(pk="zq-gone").update(heartbeat_at=Later(-900.0), lease_expires_at=Later(-899.0))


def make_workflow(key: str, number: int, columns: dict[str, Any]) -> None:
    usual: dict[str, Any] = {
        "name": "zqworkflow", "queue": "zq-open", "line": number, "arguments": CALL, "fingerprint": "zq",
        "max_recoveries": 5, "created_at": Later(-7200.0),
    }  # fmt: skip
    Workflow.objects.create(pk=key, **{**usual, **columns})


def make_mail():
    Message.objects.create(workflow_id="zq-done", topic="zqtopic", value=VALUE, received_at=AGO, received_position=1)
    Message.objects.create(workflow_id="zq-done", value=VALUE, sender="zq-failed")
    Message.objects.create(workflow_id="zq-queued", value=VALUE, sender="zq-done")
    Event.objects.create(workflow_id="zq-done", key="zqkey", value=VALUE)
    for offset, value in enumerate((VALUE, VALUE, None)):
        StreamEntry.objects.create(workflow_id="zq-done", key="zqstream", offset=offset, value=value, position=1)


def make_object() -> Group:
    group = Group.objects.create(name="zqgroup")
    kind = ContentType.objects.get_for_model(Group)
    Workflow.objects.filter(pk__in=("zq-done", "zq-queued")).update(subject_type=kind, subject_id=str(group.pk))
    tick = (timezone.now() - timedelta(hours=1)).strftime("%Y-%m-%dT%H:00:00Z")
    make_workflow(f"schedule:zq-on:{tick}", 1000, {"schedule": "zq-on", "status": "failed", "finished_at": AGO})
    return group
