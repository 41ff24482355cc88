"""Overview: no table, but a name by which the index of the admin leads to the page that shows all."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from durable_django.models.workflow import Workflow


class Overview(Workflow):
    """The workflows as a whole. Who may view workflows may view it; it has no permissions of its own."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = _("overview")
        verbose_name_plural = _("overview")
