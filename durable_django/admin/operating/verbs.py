"""The table of verbs: what operators can do in the admin, each with its words, its permission and its form."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from durable_django.admin.operating import doing
from durable_django.admin.operating.forking import ForkForm
from durable_django.admin.operating.forms import (
    AttributesForm,
    BackfillForm,
    CancelForm,
    PriorityForm,
    PurgeForm,
    RescheduleForm,
    ResumeForm,
    SendForm,
)
from durable_django.admin.operating.verb import Verb
from durable_django.models.status import Status


def _lives(row: Any) -> bool:
    return row.status in Status.live()


EDIT_QUEUE = Verb(name="edit", kind="queue", label=_("Edit limits"), log=_("Edited limits."))

VERBS = (
    Verb(
        name="cancel",
        kind="workflow",
        label=_("Cancel"),
        effect=_(
            "They end as cancelled. One that is running finishes the step that it is in; nothing that has been done is "
            "undone."
        ),
        done=ngettext_lazy("%(n)d workflow was cancelled.", "%(n)d workflows were cancelled.", "n"),
        left=ngettext_lazy("%(n)d had ended already.", "%(n)d had ended already.", "n"),
        log=_("Cancelled."),
        fits=_lives,
        on_all=doing.cancel,
        form=CancelForm,
        is_destructive=True,
    ),
    Verb(
        name="pause",
        kind="workflow",
        label=_("Pause"),
        effect=_("They stop at their next step until they are resumed; their deadlines stand still meanwhile."),
        done=ngettext_lazy("%(n)d workflow was paused.", "%(n)d workflows were paused.", "n"),
        left=ngettext_lazy("%(n)d was paused or had ended already.", "%(n)d were paused or had ended already.", "n"),
        log=_("Paused."),
        fits=lambda row: _lives(row) and row.status != Status.PAUSED,
        on_all=doing.pause,
    ),
    Verb(
        name="resume",
        kind="workflow",
        label=_("Resume"),
        effect=_(
            "They go on from the last step that was completed, also after a failure or a cancel; a step that failed "
            "runs again."
        ),
        done=ngettext_lazy("%(n)d workflow was resumed.", "%(n)d workflows were resumed.", "n"),
        left=ngettext_lazy(
            "%(n)d had not stopped, had succeeded, or was pruned.",
            "%(n)d had not stopped, had succeeded, or were pruned.",
            "n",
        ),
        log=_("Resumed."),
        fits=lambda row: row.status in doing.STOPPED and row.pruned_at is None,
        on_all=doing.resume,
        form=ResumeForm,
    ),
    Verb(
        name="send",
        kind="workflow",
        label=_("Send a message"),
        effect=_("They find the message in their mailboxes, and go on if they wait for it."),
        done=ngettext_lazy("%(n)d workflow was sent the message.", "%(n)d workflows were sent the message.", "n"),
        left=ngettext_lazy("%(n)d had ended already.", "%(n)d had ended already.", "n"),
        log=_("Sent a message."),
        fits=_lives,
        on_each=doing.send,
        form=SendForm,
    ),
    Verb(
        name="fork",
        kind="workflow",
        label=_("Fork"),
        effect=_("A new workflow is made out of each, which shares what is kept; the original stays as it is."),
        done=ngettext_lazy("%(n)d workflow was forked.", "%(n)d workflows were forked.", "n"),
        left=ngettext_lazy(
            "%(n)d had been forked from its failure already.", "%(n)d had been forked from their failures already.", "n"
        ),
        log=_("Forked."),
        fits=lambda row: row.pruned_at is None,
        on_each=doing.fork,
        form=ForkForm,
    ),
    Verb(
        name="reschedule",
        kind="workflow",
        label=_("Reschedule"),
        effect=_("Those that wait in their queue, sleep, or wait for a retry go on at that moment."),
        done=ngettext_lazy("%(n)d workflow was rescheduled.", "%(n)d workflows were rescheduled.", "n"),
        left=ngettext_lazy("%(n)d does not wait for time.", "%(n)d do not wait for time.", "n"),
        log=_("Rescheduled."),
        fits=lambda row: row.status in {Status.QUEUED, Status.WAITING},
        on_all=doing.reschedule,
        form=RescheduleForm,
    ),
    Verb(
        name="set_priority",
        kind="workflow",
        label=_("Set priority"),
        effect=_("They stand in their queues by this priority from now on."),
        done=ngettext_lazy("%(n)d workflow has another priority.", "%(n)d workflows have another priority.", "n"),
        left=ngettext_lazy("%(n)d had it already, or had ended.", "%(n)d had it already, or had ended.", "n"),
        log=_("Set the priority."),
        fits=_lives,
        on_all=doing.set_priority,
        form=PriorityForm,
    ),
    Verb(
        name="set_attributes",
        kind="workflow",
        label=_("Set attributes"),
        effect=_("These attributes are set, others stay. An attempt that is running may have read them before."),
        done=ngettext_lazy("%(n)d workflow has the attributes.", "%(n)d workflows have the attributes.", "n"),
        left=ngettext_lazy("%(n)d was pruned.", "%(n)d were pruned.", "n"),
        log=_("Set attributes."),
        fits=lambda row: row.pruned_at is None,
        on_each=doing.set_attributes,
        form=AttributesForm,
    ),
    Verb(
        name="purge",
        kind="workflow",
        label=_("Purge"),
        effect=_(
            "Those that have ended are removed for good, with steps, events, streams and messages. Live ones stay."
        ),
        done=ngettext_lazy("%(n)d workflow was purged.", "%(n)d workflows were purged.", "n"),
        left=ngettext_lazy("%(n)d is not over yet.", "%(n)d are not over yet.", "n"),
        log=_("Purged."),
        fits=lambda row: not _lives(row),
        on_all=doing.purge,
        form=PurgeForm,
        is_destructive=True,
    ),
    Verb(
        name="pause",
        kind="queue",
        label=_("Pause"),
        effect=_(
            "They are drained: nothing more is claimed from them until they are resumed, what runs goes on to its end. "
            "Their state says how much still runs."
        ),
        done=ngettext_lazy("%(n)d queue was paused.", "%(n)d queues were paused.", "n"),
        left=ngettext_lazy("%(n)d was paused already.", "%(n)d were paused already.", "n"),
        log=_("Paused."),
        fits=lambda row: not row.is_paused,
        on_each=doing.pause_row,
    ),
    Verb(
        name="resume",
        kind="queue",
        label=_("Resume"),
        effect=_("Workers claim from them again."),
        done=ngettext_lazy("%(n)d queue was resumed.", "%(n)d queues were resumed.", "n"),
        left=ngettext_lazy("%(n)d was not paused.", "%(n)d were not paused.", "n"),
        log=_("Resumed."),
        fits=lambda row: row.is_paused,
        on_each=doing.resume_row,
    ),
    EDIT_QUEUE,
    Verb(
        name="revert",
        kind="queue",
        label=_("Revert to the code"),
        effect=_("They take the limits again that the code declares. Those that were given here are lost."),
        done=ngettext_lazy("%(n)d queue was reverted.", "%(n)d queues were reverted.", "n"),
        left=ngettext_lazy("%(n)d was not edited.", "%(n)d were not edited.", "n"),
        log=_("Reverted to the limits of the code."),
        fits=lambda row: row.is_edited,
        on_each=doing.revert_row,
        is_destructive=True,
    ),
    Verb(
        name="pause",
        kind="schedule",
        label=_("Pause"),
        effect=_("They fire no more until they are resumed; what runs goes on."),
        done=ngettext_lazy("%(n)d schedule was paused.", "%(n)d schedules were paused.", "n"),
        left=ngettext_lazy("%(n)d was paused already.", "%(n)d were paused already.", "n"),
        log=_("Paused."),
        fits=lambda row: not row.is_paused,
        on_each=doing.pause_row,
    ),
    Verb(
        name="resume",
        kind="schedule",
        label=_("Resume"),
        effect=_(
            "They fire again. What they missed is skipped or caught up with, as each of them says under catch up."
        ),
        done=ngettext_lazy("%(n)d schedule was resumed.", "%(n)d schedules were resumed.", "n"),
        left=ngettext_lazy("%(n)d was not paused.", "%(n)d were not paused.", "n"),
        log=_("Resumed."),
        fits=lambda row: row.is_paused,
        on_each=doing.resume_row,
    ),
    Verb(
        name="revert",
        kind="schedule",
        label=_("Revert to the code"),
        effect=_("They become what the code declares again. What was changed by hand is lost."),
        done=ngettext_lazy("%(n)d schedule was reverted.", "%(n)d schedules were reverted.", "n"),
        left=ngettext_lazy("%(n)d was not edited.", "%(n)d were not edited.", "n"),
        log=_("Reverted to what the code declares."),
        fits=lambda row: row.is_edited,
        on_each=doing.revert_row,
        is_destructive=True,
    ),
    Verb(
        name="trigger",
        kind="schedule",
        label=_("Trigger"),
        effect=_("Each starts its workflow once, now, whatever the clock and its state say."),
        done=ngettext_lazy("%(n)d schedule was triggered.", "%(n)d schedules were triggered.", "n"),
        log=_("Triggered."),
        on_each=doing.trigger,
    ),
    Verb(
        name="backfill",
        kind="schedule",
        label=_("Backfill"),
        effect=_("Ticks of the range that have no workflow get one, each with the id of its tick."),
        done=ngettext_lazy("%(n)d schedule was backfilled.", "%(n)d schedules were backfilled.", "n"),
        left=ngettext_lazy("%(n)d had no tick to fill.", "%(n)d had no tick to fill.", "n"),
        log=_("Backfilled."),
        on_each=doing.backfill,
        form=BackfillForm,
        preview=doing.preview_backfill,
    ),
    Verb(
        name="drain",
        kind="worker",
        label=_("Drain"),
        effect=_("They claim nothing more, and end when what they run has ended. This cannot be taken back."),
        done=ngettext_lazy("%(n)d worker drains.", "%(n)d workers drain.", "n"),
        left=ngettext_lazy("%(n)d was told already, or is gone.", "%(n)d were told already, or are gone.", "n"),
        log=_("Drained."),
        fits=lambda row: row.has_lease and row.takes_slots and not row.must_drain,
        on_each=doing.drain_row,
        is_destructive=True,
    ),
)


def verbs_of(kind: str) -> list[Verb]:
    """Return the verbs that have a button on the pages of a model, in their order."""
    return [each for each in VERBS if each.kind == kind and each.is_button]


def find(kind: str, name: str) -> Verb | None:
    """Return a verb with a button; None if there is none."""
    return next((each for each in verbs_of(kind) if each.name == name), None)
