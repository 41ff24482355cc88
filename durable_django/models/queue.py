"""Queue: a named line of workflows with its limits, declared in code, a row so that operators can pause and edit it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.apps import apps
from django.db import models, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from durable_django.base import limits
from durable_django.base.clock import Later, MomentField, Now
from durable_django.base.limits import Limits
from durable_django.models.permissions import of_verbs
from durable_django.models.verbs import recorded

#: Rows that the upkeep changes, or removes, at once.
_MOST_AT_ONCE = 10_000


class QueueQuerySet(models.QuerySet["Queue"]):
    """Queues, and what is done with many of them."""

    def sync(self, declared: Mapping[str, Limits]) -> None:
        """
        Make a row for each declared queue that has none, and give the others the limits that the code declares now.

        Whoever declares last wins over earlier code; limits that an operator has edited stay.
        """
        rows = {row.name: row for row in self.filter(name__in=declared)}
        new = [Queue(name=name, declared=each.as_columns(), **each.as_columns()) for name, each in declared.items()]
        self.bulk_create([row for row in new if row.name not in rows], ignore_conflicts=True)
        for name, row in rows.items():
            columns = declared[name].as_columns()
            if row.declared != columns:
                # Both or neither: by what is declared the next boot knows that there is nothing to do.
                with transaction.atomic(using=self.db):
                    self.filter(pk=name).update(declared=columns)
                    self.filter(pk=name, is_edited=False).change_limits(columns)

    def ensure(self, *names: str) -> None:
        """Make a row, without limits, for each of these queues that has none yet."""
        self.bulk_create([Queue(name=name) for name in names], ignore_conflicts=True)

    def open(self) -> QueueQuerySet:
        """Queues that workers claim from."""
        return self.filter(is_paused=False)

    def bound(self) -> QueueQuerySet:
        """Queues from which workers claim nothing, or only as their limits allow."""
        return self.exclude(unlimited(), is_paused=False)

    @recorded("pause")
    def pause(self) -> int:
        """Stop claims from these queues; what runs goes on. Return how many were open."""
        return self.filter(is_paused=False).update(is_paused=True)

    @recorded("resume")
    def resume(self) -> int:
        """Let workers claim from these queues again. Return how many were paused."""
        return self.filter(is_paused=True).update(is_paused=False)

    @recorded("edit")
    def edit(self, **given: Any) -> int:
        """
        Change limits of these queues, which then win over those of the code until revert(). Return how many there were.

        given  the keywords of Queue(); None takes a limit away, others stay as they are

        The next claim of every worker honours them; what runs is not stopped. Raises TypeError or ValueError, naming
        the argument, also for one that contradicts what stays: then none of the queues is changed.
        """
        columns = limits.changes_of(**given)
        with transaction.atomic(using=self.db):
            # Locked, so that nobody changes in between what it is judged with.
            rows = list(self.order_by("pk").select_for_update(no_key=True))
            for row in rows:
                _require_agreement(row, columns)
            return self.filter(pk__in=[row.pk for row in rows]).change_limits(columns, is_edited=True)

    @recorded("revert")
    def revert(self) -> int:
        """Give edited queues the limits back that the code declared last. Return how many were edited."""
        edited = list(self.filter(is_edited=True))
        for row in edited:
            self.filter(pk=row.pk).change_limits(row.declared_limits.as_columns(), is_edited=False)
        return len(edited)

    def give_partitions(self) -> int:
        """
        Let what waits without a key in partitioned queues share the empty one. Return how many there were.

        Older code may start workflows that does not know yet that their queue is partitioned.
        """
        names = list(self.filter(is_partitioned=True).values_list("pk", flat=True))
        keyless = (_workflows(self.db).runnable(name).keyless() for name in names)
        return sum(rows.update_free(_MOST_AT_ONCE, partition_key="") for rows in keyless if rows.exists())

    def forget_starts(self) -> None:
        """Remove starts that left the windows of their queues long ago, and those of queues that have no rate now."""
        starts = QueueStart.objects.using(self.db)
        for row in self.exclude(rate_seconds=None, partition_rate_seconds=None):
            starts.forget(row.name, max(row.rate_seconds or 0, row.partition_rate_seconds or 0))
        unrated = self.filter(rate_seconds=None, partition_rate_seconds=None)
        # One probe a queue (index durable_queuestart_window), instead of all starts.
        first = starts.filter(queue=models.OuterRef("name")).order_by("started_at").values("pk")[:1]
        for name in unrated.annotate(first=models.Subquery(first)).exclude(first=None).values_list("name", flat=True):
            # Asked again by the statement itself: what is counted for a rate that somebody sets now stays.
            uncounted = starts.filter(queue=name, queue__in=unrated.values("name"))
            starts.filter(pk__in=uncounted.values("pk")[:_MOST_AT_ONCE]).delete()

    def change_limits(self, columns: Mapping[str, Any], **others: Any) -> int:
        """
        Change columns of the limits. Return how many queues there were.

        What waits without a key in a queue that becomes partitioned shares the empty one.
        """
        with transaction.atomic(using=self.db):
            # The lock that claims take, so that none is between counting by the old limits and claiming.
            names = list(self.select_for_update(no_key=True).values_list("pk", flat=True))
            count = self.filter(pk__in=names).update(**columns, **others)
            if columns.get("is_partitioned"):
                keyless = _workflows(self.db).filter(queue__in=names).keyless()
                # In order of id, as all do who lock several and wait for them.
                len(keyless.order_by("pk").select_for_update(no_key=True).values_list("pk"))
                keyless.update(partition_key="")
        return count


class Queue(models.Model):
    """
    One queue; its limits are explained in base/limits.py.

    declared                the limits that the code of the worker that booted last declares
    is_edited               an operator has given it other limits
    served_partition        the key behind which the next claim for threads goes on to serve partitions
    served_async_partition  the same of claims for event loops: by one turn for both each would move the other's on

    Columns that came later have defaults in the database: while one version of the code replaces another, the older one
    goes on inserting rows.
    """

    name = models.CharField(_("name"), max_length=255, primary_key=True)
    is_paused = models.BooleanField(_("is paused"), default=False)
    concurrency = models.PositiveIntegerField(_("concurrency"), null=True, blank=True)
    worker_concurrency = models.PositiveIntegerField(_("worker concurrency"), null=True, blank=True)
    rate_limit = models.PositiveIntegerField(_("rate limit"), null=True, blank=True)
    rate_seconds = models.FloatField(_("rate seconds"), null=True, blank=True)
    is_partitioned = models.BooleanField(_("is partitioned"), db_default=False)
    partition_concurrency = models.PositiveIntegerField(_("partition concurrency"), null=True, blank=True)
    partition_rate_limit = models.PositiveIntegerField(_("partition rate limit"), null=True, blank=True)
    partition_rate_seconds = models.FloatField(_("partition rate seconds"), null=True, blank=True)
    declared = models.JSONField(null=True, blank=True)
    is_edited = models.BooleanField(_("is edited"), db_default=False)
    served_partition = models.CharField(max_length=255, db_default="", blank=True)
    served_async_partition = models.CharField(max_length=255, db_default="", blank=True)
    created_at = MomentField(db_default=Now())

    objects = QueueQuerySet.as_manager()

    class Meta:
        verbose_name = _("queue")
        verbose_name_plural = _("queues")
        permissions = of_verbs("queue")

    def __str__(self) -> str:
        return self.name

    @property
    def limits(self) -> Limits:
        """The limits that count now."""
        return Limits(**{name: getattr(self, name) for name in limits.NAMES})

    @property
    def declared_limits(self) -> Limits:
        """Those that the code declared last; none without. Of a newer release as far as this one knows them."""
        return Limits(**{name: value for name, value in (self.declared or {}).items() if name in limits.NAMES})

    def pause(self) -> bool:
        """Stop claims from it; what runs goes on. Whether it was open."""
        return bool(self._alone().pause())

    def resume(self) -> bool:
        """Let workers claim from it again; whether it was paused."""
        return bool(self._alone().resume())

    def edit(self, **given: Any) -> bool:
        """Change its limits. See QueueQuerySet.edit()."""
        return bool(self._alone().edit(**given))

    def revert(self) -> bool:
        """Give it the limits back that the code declared last; whether it was edited."""
        return bool(self._alone().revert())

    def _alone(self) -> QueueQuerySet:
        return Queue.objects.using(self._state.db or "default").filter(pk=self.pk)


def _require_agreement(row: Queue, columns: Mapping[str, Any]) -> None:
    try:
        limits.require_agreement(Limits(**{**row.limits.as_columns(), **columns}))
    except ValueError as error:
        message = f"Queue {row.name!r}: {error} Change both in one edit(), or take one away with None."
        raise ValueError(message) from None


def unlimited() -> Q:
    """Return the condition of queues whose claims count nothing."""
    return Q(**{f"{name}__isnull": True for name in limits.NAMES if name != "is_partitioned"}, is_partitioned=False)


def _workflows(alias: str) -> Any:
    return apps.get_model("durable_django", "Workflow")._default_manager.using(alias)


class QueueStartQuerySet(models.QuerySet["QueueStart"]):
    """Starts that count in the rates of queues."""

    def within(self, queue: str, seconds: float) -> QueueStartQuerySet:
        """Those of a queue in the window that ends now (index durable_queuestart_window)."""
        return self.filter(queue=queue, started_at__gt=Later(-seconds))

    def by_partition(self) -> dict[str, int]:
        """Return how many there are of each partition."""
        return dict(self.values_list("partition_key").annotate(models.Count("pk")).order_by())

    def forget(self, queue: str, seconds: float) -> int:
        """Remove those of a queue that left the window long ago, as many again before it. Return how many."""
        count, _models = self.filter(queue=queue, started_at__lt=Later(-2 * seconds)).delete()
        return count


class QueueStart(models.Model):
    """One start that counts in the rate of a queue; outlives whatever becomes of the workflow."""

    id = models.BigAutoField(primary_key=True)
    queue = models.CharField(max_length=255)
    partition_key = models.CharField(max_length=255, default="", blank=True)
    workflow = models.CharField(max_length=255)
    started_at = MomentField(db_default=Now())

    objects = QueueStartQuerySet.as_manager()

    class Meta:
        verbose_name = _("start from a queue")
        verbose_name_plural = _("starts from queues")
        indexes = [models.Index(fields=["queue", "started_at"], name="durable_queuestart_window")]

    def __str__(self) -> str:
        return f"{self.workflow} from {self.queue}"
