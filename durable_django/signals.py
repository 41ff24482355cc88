"""
Signals of the engine, each with its arguments. All are sent with send_robust: a receiver cannot harm a workflow.

workflow_started    a worker began an attempt                   workflow_id, name, queue, attempt
workflow_suspended  the attempt gave its thread back            workflow_id, name, queue, attempt
workflow_succeeded  the outcome is committed                    workflow_id, name, queue, attempt
workflow_failed     the outcome is committed                    workflow_id, name, queue, attempt, error
workflow_paused     the code does not fit the history           workflow_id, name, queue, attempt, error
workflow_retrying   the whole workflow runs again later         workflow_id, name, queue, attempt, error, delay_seconds
workflow_let_go     the attempt ended without an outcome        workflow_id, name, queue, attempt, reason
interrupt_swallowed code caught what ends its attempt           workflow_id, name, queue, attempt, interrupt
workflows_failing   some of a name failed; once an incident  name, count, workflow_id
queue_delayed       work stands in line for too long; once   queue, delay_seconds
workflows_recovered workflows of lost workers were put back     count, exhausted
workflows_resumed   stopped or ended workflows were put back    alias, count
workflows_forked    workflows were made out of other ones    alias, count
workflows_followed  the ends of others have started them    alias, count
workflows_stopped   workflows were cancelled or paused          alias, count
workflows_woken     what they waited for has come               alias, count
operation_refused   a user lacks a permission in the admin     actor, verb, object_kind, object_ids
step_recorded       a step's outcome is committed               workflow_id, name, step, position, attempt, error
step_retrying       it failed; called again later  workflow_id, name, step, position, attempt, error, delay_seconds
step_rerun          the database refused, the body runs again   workflow_id, name, step, position, attempt, error
step_hook_failed    an on_commit() hook of an atomic step failed workflow_id, name, step, position, attempt, error
schedule_fired      ticks have started their workflows          schedule, workflow_ids
schedule_skipped    ticks have started nothing                  schedule, first, last, reason
schedule_failed     it cannot fire; tried again                 schedule, error, delay_seconds
schedule_broken     it cannot fire; once for each incident      schedule, reason
schedules_changed   schedules were made, edited or resumed      alias
database_away       the database does not answer; tried again   what, error, delay_seconds
wakeup_failed       a ring could not be sent (polling finds it) error
worker_started      a worker process is ready                   worker_id, queues, threads
worker_stopped      a worker process ends                       worker_id, reason
worker_lost         a worker was found dead or silent; once     worker_id, hostname, pid
worker_failed       a worker's loop hit an unexpected error     worker_id, what, error

The sender is the name of the workflow, or None where there is none.
"""

from __future__ import annotations

from django.dispatch import Signal

workflow_started = Signal()
workflow_suspended = Signal()
workflow_succeeded = Signal()
workflow_failed = Signal()
workflow_paused = Signal()
workflow_retrying = Signal()
workflow_let_go = Signal()
interrupt_swallowed = Signal()
workflows_failing = Signal()
queue_delayed = Signal()
workflows_recovered = Signal()
workflows_resumed = Signal()
workflows_forked = Signal()
workflows_followed = Signal()
workflows_stopped = Signal()
workflows_woken = Signal()
operation_refused = Signal()
step_recorded = Signal()
step_retrying = Signal()
step_rerun = Signal()
step_hook_failed = Signal()
schedule_fired = Signal()
schedule_skipped = Signal()
schedule_failed = Signal()
schedule_broken = Signal()
schedules_changed = Signal()
database_away = Signal()
wakeup_failed = Signal()
worker_started = Signal()
worker_stopped = Signal()
worker_lost = Signal()
worker_failed = Signal()
