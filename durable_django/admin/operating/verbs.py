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
        question=ngettext_lazy("Cancel %(n)d workflow?", "Cancel %(n)d workflows?", "n"),
        effect=ngettext_lazy(
            "It ends as cancelled. If it is running, it finishes the step that it is in; nothing that has been done "
            "is undone.",
            "They end as cancelled. One that is running finishes the step that it is in; nothing that has been done "
            "is undone.",
            "n",
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
        question=ngettext_lazy("Pause %(n)d workflow?", "Pause %(n)d workflows?", "n"),
        effect=ngettext_lazy(
            "It stops at its next step until it is resumed; its deadline stands still meanwhile.",
            "They stop at their next step until they are resumed; their deadlines stand still meanwhile.",
            "n",
        ),
        done=ngettext_lazy("%(n)d workflow was paused.", "%(n)d workflows were paused.", "n"),
        left=ngettext_lazy("%(n)d was paused or had ended already.", "%(n)d were paused or had ended already.", "n"),
        log=_("Paused."),
        fits=lambda row: _lives(row) and row.status != Status.PAUSED,
        on_all=doing.pause,
        is_likely=True,
    ),
    Verb(
        name="resume",
        kind="workflow",
        label=_("Resume"),
        question=ngettext_lazy("Resume %(n)d workflow?", "Resume %(n)d workflows?", "n"),
        effect=ngettext_lazy(
            "It goes on from the last step that was completed, also after a failure or a cancel; a step that failed "
            "runs again.",
            "They go on from the last step that was completed, also after a failure or a cancel; a step that failed "
            "runs again.",
            "n",
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
        is_likely=True,
    ),
    Verb(
        name="send",
        kind="workflow",
        label=_("Send a message"),
        question=ngettext_lazy("Send a message to %(n)d workflow?", "Send a message to %(n)d workflows?", "n"),
        effect=ngettext_lazy(
            "It finds the message in its mailbox, and goes on if it waits for it.",
            "They find the message in their mailboxes, and go on if they wait for it.",
            "n",
        ),
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
        question=ngettext_lazy("Fork %(n)d workflow?", "Fork %(n)d workflows?", "n"),
        effect=ngettext_lazy(
            "A new workflow is made out of it, which shares what is kept; the original stays as it is.",
            "A new workflow is made out of each, which shares what is kept; the original stays as it is.",
            "n",
        ),
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
        question=ngettext_lazy("Reschedule %(n)d workflow?", "Reschedule %(n)d workflows?", "n"),
        effect=ngettext_lazy(
            "If it waits in its queue, sleeps, or waits for a retry, it goes on at that moment.",
            "Those that wait in their queue, sleep, or wait for a retry go on at that moment.",
            "n",
        ),
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
        question=ngettext_lazy("Set the priority of %(n)d workflow?", "Set the priority of %(n)d workflows?", "n"),
        effect=ngettext_lazy(
            "It stands in its queue by this priority from now on.",
            "They stand in their queues by this priority from now on.",
            "n",
        ),
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
        question=ngettext_lazy("Set attributes of %(n)d workflow?", "Set attributes of %(n)d workflows?", "n"),
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
        question=ngettext_lazy("Purge %(n)d workflow?", "Purge %(n)d workflows?", "n"),
        effect=ngettext_lazy(
            "If it has ended, it is removed for good, with steps, events, streams and messages.",
            "Those that have ended are removed for good, with steps, events, streams and messages. Live ones stay.",
            "n",
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
        question=ngettext_lazy("Pause %(n)d queue?", "Pause %(n)d queues?", "n"),
        effect=ngettext_lazy(
            "It is drained: nothing more is claimed from it until it is resumed, what runs goes on to its end. Its "
            "state says how much still runs.",
            "They are drained: nothing more is claimed from them until they are resumed, what runs goes on to its "
            "end. Their state says how much still runs.",
            "n",
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
        question=ngettext_lazy("Resume %(n)d queue?", "Resume %(n)d queues?", "n"),
        effect=ngettext_lazy("Workers claim from it again.", "Workers claim from them again.", "n"),
        done=ngettext_lazy("%(n)d queue was resumed.", "%(n)d queues were resumed.", "n"),
        left=ngettext_lazy("%(n)d was not paused.", "%(n)d were not paused.", "n"),
        log=_("Resumed."),
        fits=lambda row: row.is_paused,
        on_each=doing.resume_row,
        is_likely=True,
    ),
    EDIT_QUEUE,
    Verb(
        name="revert",
        kind="queue",
        label=_("Revert to the code"),
        question=ngettext_lazy("Revert %(n)d queue to the code?", "Revert %(n)d queues to the code?", "n"),
        effect=ngettext_lazy(
            "It takes the limits again that the code declares. Those that were given here are lost.",
            "They take the limits again that the code declares. Those that were given here are lost.",
            "n",
        ),
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
        question=ngettext_lazy("Pause %(n)d schedule?", "Pause %(n)d schedules?", "n"),
        effect=ngettext_lazy(
            "It fires no more until it is resumed; what runs goes on.",
            "They fire no more until they are resumed; what runs goes on.",
            "n",
        ),
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
        question=ngettext_lazy("Resume %(n)d schedule?", "Resume %(n)d schedules?", "n"),
        effect=ngettext_lazy(
            "It fires again. What it missed is skipped or caught up with, as its page says under catch up.",
            "They fire again. What they missed is skipped or caught up with, as each of them says under catch up.",
            "n",
        ),
        done=ngettext_lazy("%(n)d schedule was resumed.", "%(n)d schedules were resumed.", "n"),
        left=ngettext_lazy("%(n)d was not paused.", "%(n)d were not paused.", "n"),
        log=_("Resumed."),
        fits=lambda row: row.is_paused,
        on_each=doing.resume_row,
        is_likely=True,
    ),
    Verb(
        name="revert",
        kind="schedule",
        label=_("Revert to the code"),
        question=ngettext_lazy("Revert %(n)d schedule to the code?", "Revert %(n)d schedules to the code?", "n"),
        effect=ngettext_lazy(
            "It becomes what the code declares again. What was changed by hand is lost.",
            "They become what the code declares again. What was changed by hand is lost.",
            "n",
        ),
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
        question=ngettext_lazy("Trigger %(n)d schedule?", "Trigger %(n)d schedules?", "n"),
        effect=ngettext_lazy(
            "It starts its workflow once, now, whatever the clock and its state say.",
            "Each starts its workflow once, now, whatever the clock and its state say.",
            "n",
        ),
        done=ngettext_lazy("%(n)d schedule was triggered.", "%(n)d schedules were triggered.", "n"),
        log=_("Triggered."),
        on_each=doing.trigger,
    ),
    Verb(
        name="backfill",
        kind="schedule",
        label=_("Backfill"),
        question=ngettext_lazy("Backfill %(n)d schedule?", "Backfill %(n)d schedules?", "n"),
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
        question=ngettext_lazy("Drain %(n)d worker?", "Drain %(n)d workers?", "n"),
        effect=ngettext_lazy(
            "It claims nothing more, and ends when what it runs has ended. This cannot be taken back.",
            "They claim nothing more, and end when what they run has ended. This cannot be taken back.",
            "n",
        ),
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
