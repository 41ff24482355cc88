"""Fields of the forms of verbs: values as JSON, moments, each with an error that says what to write instead."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext

_FEWEST_ROWS, _MOST_ROWS = 6, 20


class JsonArea(forms.Textarea):
    """As high as what stands in it, within bounds."""

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        """Give it a row for each line."""
        lines = len(str(value or "").splitlines())
        rows = min(max(lines, _FEWEST_ROWS), _MOST_ROWS)
        return super().get_context(name, value, {**(attrs or {}), "rows": rows})


class JsonField(forms.CharField):
    """A value in JSON; what was typed stays as it was typed, also if it cannot be read."""

    widget = JsonArea(attrs={"cols": 60, "spellcheck": "false", "class": "vLargeTextField durable-json"})

    def to_python(self, value: Any) -> Any:
        """Return the value. Raises ValidationError with the line and column of the first fault."""
        text = super().to_python(value)
        if not text:
            return None
        try:
            return json.loads(text, parse_constant=_refuse)
        except json.JSONDecodeError as error:
            where = {"line": error.lineno, "column": error.colno, "fault": error.msg}
            message = gettext("This is not JSON: line %(line)d, column %(column)d: %(fault)s.") % where
        except (ValueError, RecursionError) as error:
            message = gettext("This cannot be read as JSON: %(fault)s.") % {"fault": str(error).rstrip(".")}
        raise ValidationError(message, code="json")

    def validate(self, value: Any) -> None:
        """Let null be a value: only an empty text is none."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether another value was written; blanks and ends of lines make none, while 1 and true are two."""
        try:
            return json.dumps(self.to_python(initial)) != json.dumps(self.to_python(data))
        except ValidationError:
            return True

    def clean(self, value: Any) -> Any:
        """Return the value. Raises ValidationError if there is no text, or one that is not JSON."""
        if self.required and not str(value or "").strip():
            raise ValidationError(self.error_messages["required"], code="required")
        return super().clean(value)


class LongText(forms.CharField):
    """A text of a few lines."""

    widget = forms.Textarea(attrs={"rows": 3, "cols": 60, "class": "vLargeTextField"})


def moment_field(label: Any, **options: Any) -> forms.DateTimeField:
    """Return a field for a moment, in the browser's own widget, to the minute."""
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(label=label, widget=widget, **options)


def say_zone(field: forms.Field) -> None:
    """Let a field for a moment say whose clock is meant: the project's, which the browser does not know."""
    facts = {"help": field.help_text, "zone": timezone.get_current_timezone_name()}
    field.help_text = gettext("%(help)s By the clock of %(zone)s.") % facts


def _refuse(name: str) -> Any:
    raise ValueError(gettext("%(name)s is no number in JSON") % {"name": name})
