"""The subject of a workflow: any saved row of the project, as its content type and its primary key as text."""

from __future__ import annotations

from typing import NamedTuple

from django.contrib.contenttypes.models import ContentType
from django.db.models import Model


class Reference(NamedTuple):
    """The two columns that say what a workflow is about; both None for nothing."""

    type_id: int | None
    id: str | None


def require_saved(subject: object) -> Model:
    """Return a row that can be a subject. Raises TypeError for what is no row, ValueError for one without a key."""
    if not isinstance(subject, Model):
        message = f"subject must be an instance of a model, got {subject!r}."
        raise TypeError(message)
    if subject.pk is None:
        message = f"subject must be saved: this {subject._meta.label} has no primary key yet."
        raise ValueError(message)
    return subject


def refer(subject: Model | None, alias: str) -> Reference:
    """Return what stands in the row; of each model the content type is asked for once a process."""
    if subject is None:
        return Reference(None, None)
    kind = ContentType.objects.db_manager(alias).get_for_model(subject)
    return Reference(kind.pk, str(subject.pk))
