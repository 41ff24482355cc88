"""Workflows that tests fork, and how they do it."""

import durable_django as durable
from durable_django import get_handle, step, workflow
from durable_django.testing import run_until_idle
from tests.behaviour.support import row
from tests.sample import branching
from tests.sample.here import Here
from tests.sample.models import Mark


@step
def mark(label):
    Mark.objects.create(label=label)
    return label


@workflow(timeout=3600)
def marks(*names):
    """One step for each name."""
    return [mark(name) for name in names]


@workflow
def tells(*values):
    """Events and entries of two streams, set by the workflow and by a step."""
    for value in values:
        durable.set_event("latest", value)
        durable.write_stream("all", value)
        tell_in_step(value)
    return durable.get_event(durable.current_workflow().id, "latest")


@step
def tell_in_step(value):
    durable.set_event("in step", value)
    durable.write_stream("other", value, -value)


@workflow
def breaks():
    """It fails behind two steps, unless the test says otherwise."""
    mark("a")
    mark("b")
    return act()


@step
def act():
    return Here.act()


@workflow
def calls_who_waits():
    return branching.waiting_child("a")


def fork(handle, **options):
    """Fork a workflow and run what there is to run. Return the handle of the fork."""
    new = row(handle).fork(**options)
    run_until_idle()
    return get_handle(new.pk)


def ended(definition, *args, **kwargs):
    handle = definition.start(*args, **kwargs)
    run_until_idle()
    return handle


def boom():
    raise LookupError("broken")
