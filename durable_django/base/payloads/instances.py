"""Model instances, by reference: label, alias and primary key; the row as it is when the value is read."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.exceptions import ObjectDoesNotExist
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model

from durable_django.base.payloads.decoding import as_list, as_text, unpacks
from durable_django.base.payloads.packing import Packer, Tree, packs_family, tagged
from durable_django.base.payloads.refusals import Refusal
from durable_django.exceptions import UnreadablePayload


@packs_family(Model)
def pack_instance(packer: Packer, value: Model) -> Tree:
    """Where the row is; its content stays there."""
    label = value._meta.label
    if value.pk is None or value._state.adding:
        raise Refusal(f"this {label} is not saved, so nothing could find it again.", "Save it first.")
    if _model(label) is not type(value):
        raise Refusal(f"{label} is not a model of an installed app.", "Pass the values that are needed.")
    return tagged("model", [label, value._state.db or DEFAULT_DB_ALIAS, packer.part(value, value.pk, ".pk")])


@unpacks("model")
def unpack_instance(content: object) -> Model:
    """Read the row, by the manager that hides none."""
    label, alias, pk = as_list(content, 3)
    model = _model(as_text(label))
    if model is None:
        raise UnreadablePayload(
            reason=f"there is no model {label!r:.100}.", advice="Restore the model, or start anew without the value."
        )
    if as_text(alias) not in connections.settings:
        raise UnreadablePayload(
            reason=f"there is no database {alias!r:.100} for {label} {pk!r:.100}.", advice="Add the alias to DATABASES."
        )
    return _row(model, alias, pk)


def _row(model: type[Model], alias: str, pk: Any) -> Model:
    try:
        return model._base_manager.using(alias).get(pk=pk)
    except ObjectDoesNotExist as error:
        raise UnreadablePayload(
            reason=f"{model._meta.label} with primary key {pk!r:.100} no longer exists in the database {alias!r}.",
            advice="Restore the row; or pass the key and let a step decide what a missing row means.",
        ) from error


def _model(label: str) -> type[Model] | None:
    try:
        return apps.get_model(label)
    except (LookupError, ValueError):
        return None
