"""
Log records, worded here and nowhere else, from the signals of the engine. No payload is ever logged.

Loggers: durable_django.workflow, durable_django.step, durable_django.schedule, durable_django.worker,
durable_django.operation. Each record carries its facts as `extra`.
"""

from __future__ import annotations

import logging
from typing import Any

from durable_django import signals
from durable_django.base import clock
from durable_django.base.texts import plain

_AWAY_SECONDS = 5.0
_away_logged_at = -_AWAY_SECONDS
_away_skipped = 0

_workflow = logging.getLogger("durable_django.workflow")
_step = logging.getLogger("durable_django.step")
_schedule = logging.getLogger("durable_django.schedule")
_worker = logging.getLogger("durable_django.worker")
_operation = logging.getLogger("durable_django.operation")


def connect() -> None:
    """Connect every receiver; connecting twice changes nothing."""
    for signal, receiver in _RECEIVERS.items():
        signal.connect(receiver, weak=False, dispatch_uid=f"durable_django.logs.{receiver.__name__}")


def show_on_terminal(*, is_quiet: bool = False) -> None:
    """Show the records on the terminal, unless the project has configured a handler for them; no others."""
    logger = logging.getLogger("durable_django")
    if is_quiet or logger.hasHandlers():
        return
    # Not on the root: what other libraries say, and how the project shows it, is not for a command to decide.
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)


def _extra(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the facts as extra; `name` belongs to the log record itself."""
    hidden = {"signal", "sender", "error"}
    return {("workflow" if key == "name" else key): value for key, value in facts.items() if key not in hidden}


def _safe(error: object) -> str:
    try:
        return plain(f"{type(error).__name__}: {error}")[:2000]
    except Exception:  # noqa: BLE001 - __str__ is the user's; logging must not fail for it
        return type(error).__name__


def _started(**facts: Any) -> None:
    _workflow.debug(
        "%s %s: attempt %d began", facts["name"], plain(facts["workflow_id"]), facts["attempt"], extra=_extra(facts)
    )


def _suspended(**facts: Any) -> None:
    _workflow.debug("%s %s: waits", facts["name"], plain(facts["workflow_id"]), extra=_extra(facts))


def _succeeded(**facts: Any) -> None:
    _workflow.info("%s %s: succeeded", facts["name"], plain(facts["workflow_id"]), extra=_extra(facts))


def _failed(**facts: Any) -> None:
    error = facts["error"]
    _workflow.error(
        "%s %s: failed with %s",
        facts["name"],
        plain(facts["workflow_id"]),
        _safe(error),
        extra=_extra(facts),
        exc_info=(type(error), error, error.__traceback__),
    )


def _paused(**facts: Any) -> None:
    _workflow.warning(
        "%s %s: paused. %s", facts["name"], plain(facts["workflow_id"]), _safe(facts["error"]), extra=_extra(facts)
    )


def _retrying(**facts: Any) -> None:
    _workflow.warning(
        "%s %s: runs again in %.1f s after %s",
        facts["name"],
        plain(facts["workflow_id"]),
        facts["delay_seconds"],
        _safe(facts["error"]),
        extra=_extra(facts),
    )


def _let_go(**facts: Any) -> None:
    _workflow.info(
        "%s %s: let go, %s", facts["name"], plain(facts["workflow_id"]), plain(facts["reason"]), extra=_extra(facts)
    )


def _swallowed(**facts: Any) -> None:
    _workflow.error(
        "%s %s: its code caught %s, which ends the attempt, and went on. Catch Exception, not BaseException: "
        "code that does not end keeps its thread, while the workflow goes on elsewhere",
        facts["name"],
        plain(facts["workflow_id"]),
        facts["interrupt"],
        extra=_extra(facts),
    )


def _recovered(**facts: Any) -> None:
    _workflow.warning(
        "%d workflows of lost workers were put back, %d had lost too many and failed",
        facts["count"],
        facts["exhausted"],
        extra=_extra(facts),
    )


def _operation_refused(**facts: Any) -> None:
    _operation.warning(
        "%s was refused: no permission to %s %s %s",
        plain(facts["actor"]),
        facts["verb"],
        facts["object_kind"],
        ", ".join(map(plain, facts["object_ids"])),
        extra=_extra(facts),
    )


def _step_retrying(**facts: Any) -> None:
    _step.info(
        "%s: step %d %s failed with %s, again in %.1f s",
        plain(facts["workflow_id"]),
        facts["position"],
        plain(facts["step"]),
        _safe(facts["error"]),
        facts["delay_seconds"],
        extra=_extra(facts),
    )


def _step_rerun(**facts: Any) -> None:
    _step.warning(
        "%s: step %d %s runs again, the database refused it: %s",
        plain(facts["workflow_id"]),
        facts["position"],
        plain(facts["step"]),
        _safe(facts["error"]),
        extra=_extra(facts),
    )


def _step_hook_failed(**facts: Any) -> None:
    error = facts["error"]
    _step.error(
        "%s: step %d %s is committed, but its on_commit() hook failed with %s",
        plain(facts["workflow_id"]),
        facts["position"],
        plain(facts["step"]),
        _safe(error),
        extra=_extra(facts),
        exc_info=(type(error), error, error.__traceback__),
    )


def _schedule_fired(**facts: Any) -> None:
    ids = ", ".join(map(plain, facts["workflow_ids"]))
    _schedule.debug("%s: started %s", plain(facts["schedule"]), ids, extra=_extra(facts))


def _schedule_skipped(**facts: Any) -> None:
    _schedule.warning(
        "%s: nothing was started for %s to %s, %s",
        plain(facts["schedule"]),
        facts["first"].isoformat(),
        facts["last"].isoformat(),
        plain(facts["reason"]),
        extra=_extra(facts),
    )


def _schedule_failed(**facts: Any) -> None:
    _schedule.warning(
        "%s: cannot fire, tried again every %d s. %s",
        plain(facts["schedule"]),
        facts["delay_seconds"],
        _safe(facts["error"]),
        extra=_extra(facts),
    )


def _schedule_broken(**facts: Any) -> None:
    _schedule.warning(
        "Alert: schedule %s cannot fire. %s", plain(facts["schedule"]), plain(facts["reason"]), extra=_extra(facts)
    )


def _queue_delayed(**facts: Any) -> None:
    _worker.warning(
        "Alert: in queue %s a workflow has stood in line for %d s",
        plain(facts["queue"]),
        facts["delay_seconds"],
        extra=_extra(facts),
    )


def _workflows_failing(**facts: Any) -> None:
    _workflow.warning(
        "Alert: %d of %s failed lately, the last one was %s",
        facts["count"],
        plain(facts["name"]),
        plain(facts["workflow_id"]),
        extra=_extra(facts),
    )


def _database_away(**facts: Any) -> None:
    """Every thread that needs the database says so at every try: one record in five seconds is enough."""
    global _away_logged_at, _away_skipped  # noqa: PLW0603 - what was said last
    _away_skipped += 1
    now = clock.elapsed_seconds()
    if now - _away_logged_at < _AWAY_SECONDS:
        return
    times, _away_skipped, _away_logged_at = _away_skipped, 0, now
    _worker.warning(
        "The database does not answer (%s): %s. Tried again in %.1f s (%d such tries since the last record)",
        facts["what"],
        _safe(facts["error"]),
        facts["delay_seconds"],
        times,
        extra=_extra(facts),
    )


def _wakeup_failed(**facts: Any) -> None:
    _worker.warning("No ring for idle workers (they poll): %s", _safe(facts["error"]), extra=_extra(facts))


def _worker_started(**facts: Any) -> None:
    queues = ", ".join(facts["queues"])
    _worker.info(
        "Worker %s claims from %s with %d threads", facts["worker_id"], queues, facts["threads"], extra=_extra(facts)
    )


def _worker_stopped(**facts: Any) -> None:
    _worker.info("Worker %s stops: %s", facts["worker_id"], plain(facts["reason"]), extra=_extra(facts))


def _worker_lost(**facts: Any) -> None:
    _worker.warning(
        "Worker %s (process %d on %s) is gone; its workflows are recovered",
        facts["worker_id"],
        facts["pid"],
        facts["hostname"],
        extra=_extra(facts),
    )


def _worker_failed(**facts: Any) -> None:
    error = facts["error"]
    _worker.error(
        "Worker %s failed while %s: %s",
        facts["worker_id"],
        plain(facts["what"]),
        _safe(error),
        extra=_extra(facts),
        exc_info=(type(error), error, error.__traceback__),
    )


_RECEIVERS = {
    signals.workflow_started: _started,
    signals.workflow_suspended: _suspended,
    signals.workflow_succeeded: _succeeded,
    signals.workflow_failed: _failed,
    signals.workflow_paused: _paused,
    signals.workflow_retrying: _retrying,
    signals.workflow_let_go: _let_go,
    signals.interrupt_swallowed: _swallowed,
    signals.workflows_recovered: _recovered,
    signals.operation_refused: _operation_refused,
    signals.step_retrying: _step_retrying,
    signals.step_rerun: _step_rerun,
    signals.step_hook_failed: _step_hook_failed,
    signals.schedule_fired: _schedule_fired,
    signals.schedule_skipped: _schedule_skipped,
    signals.schedule_failed: _schedule_failed,
    signals.schedule_broken: _schedule_broken,
    signals.queue_delayed: _queue_delayed,
    signals.workflows_failing: _workflows_failing,
    signals.database_away: _database_away,
    signals.wakeup_failed: _wakeup_failed,
    signals.worker_started: _worker_started,
    signals.worker_stopped: _worker_stopped,
    signals.worker_lost: _worker_lost,
    signals.worker_failed: _worker_failed,
}
