"""Where the workflow tables lie, as the database routers say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, register
from django.db import connections, router

from durable_django.base.payloads.texts import safe_str

_LABEL = "durable_django"
_HINT = (
    "Let a router send them all to one: if model._meta.app_label == 'durable_django': return 'default', in "
    "db_for_write() and, for label and alias, in allow_migrate()."
)


@register()
def check_routing(**_kwargs: Any) -> list[CheckMessage]:
    """Report routers that send the tables to several databases, to none, or to one in which they are not made."""
    models = list(apps.get_app_config(_LABEL).get_models())
    try:
        aliases = {router.db_for_write(model) for model in models}
        elsewhere = [each for each in models if not all(router.allow_migrate_model(alias, each) for alias in aliases)]
    except Exception as error:  # noqa: BLE001 - routers are the project's, and may raise anything
        return [_astray(f"The database routers raised {type(error).__name__}: {safe_str(error)}")]
    listed = ", ".join(sorted(map(repr, aliases)))
    if len(aliases) > 1:
        return [_astray(f"The workflow tables are spread over several databases: {listed}.")]
    if aliases - set(connections):
        return [_astray(f"The workflow tables are sent to {listed}, which is not in DATABASES.")]
    if elsewhere:
        names = ", ".join(sorted(each.__name__ for each in elsewhere))
        text = f"Routers send {names} to {listed}, and do not let their tables be made there."
        return [Error(text, hint=_HINT, id="durable_django.E014")]
    return []


def _astray(text: str) -> CheckMessage:
    return Error(text, hint=_HINT, id="durable_django.E018")


def connection_of_tables() -> Any:
    """Return the connection to the workflow tables, not opened; None if check_routing() reports that there is none."""
    try:
        return connections[router.db_for_write(apps.get_model(_LABEL, "Workflow"))]
    except Exception:  # noqa: BLE001 - as above
        return None


def options_of(connection: Any) -> Mapping[str, Any]:
    """Return OPTIONS of a database, none if it is something else than a dict."""
    options = connection.settings_dict.get("OPTIONS")
    return options if isinstance(options, Mapping) else {}
