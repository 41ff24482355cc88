"""Relations for models of the project to the workflows that are about their rows."""

from __future__ import annotations

from typing import Any

from django.contrib.contenttypes.fields import GenericRelation
from django.db.models import CharField
from django.db.models.functions import Cast
from django.db.models.lookups import Exact
from django.db.models.sql.where import AND


class WorkflowsRelation(GenericRelation):
    """
    The workflows that were started with using(subject=) for a row: `order.workflows.failed()`.

    Unlike Django's own generic relation it deletes nothing: workflows outlive their subject.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(
            "durable_django.Workflow", object_id_field="subject_id", content_type_field="subject_type", **options
        )

    def deconstruct(self) -> Any:
        """Leave out what is always the same."""
        name, path, _args, kwargs = super().deconstruct()
        for option in ("to", "object_id_field", "content_type_field"):
            kwargs.pop(option, None)
        return name, path, [], kwargs

    def get_reverse_joining_fields(self) -> Any:
        """Join by get_extra_restriction() alone: PostgreSQL compares no number with a text."""
        return ()

    def get_extra_restriction(self, alias: Any, remote_alias: Any) -> Any:
        """Compare the primary key, as text, with the column that holds it."""
        condition = super().get_extra_restriction(alias, remote_alias)
        if alias is not None:
            key = Cast(self.model._meta.pk.get_col(alias), CharField(max_length=255))
            column: Any = self.remote_field.model._meta.get_field(self.object_id_field_name)
            condition.add(Exact(column.get_col(remote_alias), key), AND)
        return condition

    @property
    def bulk_related_objects(self) -> Any:
        """Be none of what Django asks when it looks what is to be deleted with a row."""
        message = "Workflows are not deleted with their subject."
        raise AttributeError(message)
