"""The form of a queue's limits: it judges them as a declaration does, and says at which field what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from durable_django.admin.operating.fields import LongText
from durable_django.base.limits import MOST, Limits, Rate, changes_of, require_agreement
from durable_django.models.queue import Queue

_COUNTS = ("concurrency", "worker_concurrency", "partition_concurrency")
_RATES = ("rate", "partition_rate")
#: What the errors of declarations have in them, which are worded for code, and what the form says instead.
_SAID = {
    "Rate(limit=)": _("This must be a whole number from 1 to %(most)d."),
    "Rate(per=)": _("This must be more than 0 seconds, and at most a year."),
    "a partitioned queue": _("A limit of each partition needs partitions: empty it as well."),
    "can never be reached": _("This can never be reached, since not so many may run at a time on all workers."),
}


class LimitsForm(forms.ModelForm):  # type: ignore[type-arg]
    """
    The limits of one queue; an empty field is none.

    After validation:

    edits      the arguments of Queue.edit(), only those that the operator has changed
    overtaken  labels of those among them that somebody else has changed since the page was shown
    """

    edits: dict[str, Any]
    overtaken: list[str]

    #: What the page showed: by it, what the operator has changed is told from what others have.
    seen = forms.CharField(label="", required=False, widget=forms.HiddenInput)
    reason = LongText(
        label=_("Reason"), required=False, max_length=1000, help_text=_("Kept with what you do, for others.")
    )

    class Meta:
        model = Queue
        fields = (
            "concurrency", "worker_concurrency", "rate_limit", "rate_seconds", "is_partitioned",
            "partition_concurrency", "partition_rate_limit", "partition_rate_seconds",
        )  # fmt: skip
        labels = {
            "concurrency": _("At a time"),
            "worker_concurrency": _("At a time in each worker"),
            "rate_limit": _("Starts"),
            "rate_seconds": _("in so many seconds"),
            "is_partitioned": _("Partitioned"),
            "partition_concurrency": _("At a time in each partition"),
            "partition_rate_limit": _("Starts in each partition"),
            "partition_rate_seconds": _("in so many seconds"),
        }
        help_texts = {
            "concurrency": _("On all workers; 0 starts none."),
            "rate_limit": _("At most so many in any window of that length."),
            "is_partitioned": _(
                "Partitions are served in turn. A limit of each partition makes the queue partitioned."
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["seen"].initial = json.dumps(self.instance.limits.as_columns())

    def clean(self) -> dict[str, Any]:
        """Judge each limit alone, then all together as they would be."""
        values = super().clean() or self.cleaned_data
        given = {name: values.get(name) for name in _COUNTS} | {name: self._rate(name) for name in _RATES}
        for name in _COUNTS:
            self._judge(name, partial(changes_of, **{name: given[name]}))
        given["partitioned"] = self._is_partitioned(given)
        self.edits, self.overtaken = ({}, []) if self.errors else self._changed(given)
        if not self.overtaken:
            self._judge_together()
        return values

    def _rate(self, name: str) -> Rate | None:
        limit, seconds = (self.cleaned_data.get(f"{name}_{part}") for part in ("limit", "seconds"))
        if limit is None and seconds is None:
            return None
        for part, value in (("limit", limit), ("seconds", seconds)):
            if value is None and f"{name}_{part}" not in self.errors:
                self.add_error(f"{name}_{part}", gettext("A rate is a number of starts in a number of seconds."))
        if limit is None or seconds is None:
            return None
        try:
            return Rate(limit, seconds)
        except ValueError as error:
            self.add_error(f"{name}_{'limit' if 'limit=' in str(error) else 'seconds'}", _said_of(error))
            return None

    def _is_partitioned(self, given: dict[str, Any]) -> bool:
        is_ticked = bool(self.cleaned_data.get("is_partitioned"))
        is_limited = given["partition_concurrency"] is not None or given["partition_rate"] is not None
        if is_limited and not is_ticked and self.instance.is_partitioned:
            self.add_error("is_partitioned", gettext("A limit of each partition needs partitions: empty it as well."))
        return is_ticked or is_limited

    def _judge(self, field: str, act: Callable[[], Any]) -> None:
        if field in self.errors:
            return
        try:
            act()
        except (TypeError, ValueError) as error:
            self.add_error(field, _said_of(error))

    def _judge_together(self) -> None:
        try:
            require_agreement(Limits(**{**self.instance.limits.as_columns(), **changes_of(**self.edits)}))
        except ValueError as error:
            # Which begins with the name of the limit that cannot be.
            name = str(error).partition(" ")[0]
            self.add_error(name if name in self.fields else f"{name}_limit", _said_of(error))

    def _changed(self, given: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """Return what is other than on the page that was shown, and of that what somebody else has changed as well."""
        now = self.instance.limits.as_columns()
        seen, edits, overtaken = {**now, **self._seen()}, {}, []
        for name, value in given.items():
            columns = changes_of(**{name: value})
            if any(seen[column] != after for column, after in columns.items()):
                edits[name] = value
                overtaken += [column for column, after in columns.items() if now[column] not in (seen[column], after)]
        return edits, [str(self.fields[column].label) for column in overtaken]

    def _seen(self) -> dict[str, Any]:
        """Return the columns that the page showed; nothing if the form does not say it, as one written by hand."""
        try:
            seen = json.loads(self.cleaned_data.get("seen") or "{}")
        except (ValueError, RecursionError):
            return {}
        return seen if isinstance(seen, dict) else {}


def _said_of(error: Exception) -> str:
    usual = _("This must be a whole number from 0 to %(most)d.")
    said = next((text for part, text in _SAID.items() if part in str(error)), usual)
    return str(said) % {"most": MOST}
