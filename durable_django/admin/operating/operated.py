"""Operated pages: buttons and list actions for the verbs that the user may do, with one way to confirm each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.admin.utils import unquote
from django.core.exceptions import BadRequest, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.http import url_has_allowed_host_and_scheme

from durable_django.admin.operating import verbs
from durable_django.admin.operating.acting import carry_out
from durable_django.admin.operating.buttons import NEXT, Button, buttons_of
from durable_django.admin.operating.confirming import MOST_NAMED, Confirmation, row_url
from durable_django.admin.operating.outcomes import tell
from durable_django.admin.operating.records import records_of, spoken_log
from durable_django.admin.operating.refusing import refuse
from durable_django.admin.operating.verb import Verb
from durable_django.admin.readonly import ReadOnlyAdmin
from durable_django.base.texts import plain, shortened

_TEMPLATE = "admin/durable_django/operating/confirm.html"


class OperatedAdmin(ReadOnlyAdmin):
    """
    A list with actions and pages with buttons, for the verbs of its model.

    Templates show them by including admin/durable_django/operating/buttons.html and records.html. Whoever may do a verb
    has its permission beside that to view; nothing is changed before a form was sent that says what will happen.
    """

    def get_urls(self) -> list[Any]:
        """Add the page that asks for confirmation."""
        view = self.admin_site.admin_view(self.operate_view)
        return [
            path("<path:object_id>/operate/<slug:verb>/", view, name=self._url_name("operate")),
            *super().get_urls(),
        ]

    def is_allowed(self, request: HttpRequest, verb: Verb) -> bool:
        """Whether the user may do a verb to the rows that this admin shows."""
        return self.has_view_permission(request) and verb.is_allowed(request)

    # -- the list ---------------------------------------------------------------------------------------------------

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> dict[str, Any]:
        """
        Add the verbs that the user may do.

        action_location  what Django asks for since 6.1; pages of rows have buttons instead
        """
        given = {} if action_location is None else {"action_location": action_location}
        found: dict[str, Any] = dict(super().get_actions(request, **given))
        if IS_POPUP_VAR in request.GET or getattr(action_location, "name", "CHANGE_LIST") != "CHANGE_LIST":
            return found
        allowed = [verb for verb in self._verbs() if self.is_allowed(request, verb)]
        return {**found, **{verb.name: (_action(verb), verb.name, verb.label) for verb in allowed}}

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the list; refuse who asks for a verb that he may not do, or for what no row can be, by 403 and 400."""
        if request.method == "POST":
            asked, keys = set(request.POST.getlist("action")), request.POST.getlist(ACTION_CHECKBOX_NAME)
            for verb in self._verbs():
                if verb.name in asked and not self.is_allowed(request, verb):
                    refuse(request, verb.name, verb.kind, keys)
            _require_keys(self.opts.pk, keys)
        return super().changelist_view(request, extra_context)

    # -- the page ---------------------------------------------------------------------------------------------------

    def render_change_form(  # noqa: PLR0913, PLR0917 - Django's signature
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,  # noqa: FBT001, FBT002
        change: bool = False,  # noqa: FBT001, FBT002
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        """Give the templates the buttons and what was done."""
        shown = {"operations": self.buttons(request, obj), "records": records_of(self, request, obj)} if obj else {}
        return super().render_change_form(request, {**context, **shown}, add, change, form_url, obj)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Show the log of a row; it is kept in the words of the code."""
        response = super().history_view(request, object_id, extra_context)
        for entry in getattr(response, "context_data", {}).get("action_list", ()):
            entry.change_message = spoken_log(str(self.opts.model_name), entry.change_message)
        return response

    def buttons(self, request: HttpRequest, row: Any) -> list[Button]:
        """Return the verbs that the user may do and that would change the row."""
        allowed = [verb for verb in self._verbs() if self.is_allowed(request, verb)]
        return buttons_of(row, allowed, self.admin_site.name)

    def operate_view(self, request: HttpRequest, object_id: str, verb: str) -> HttpResponse:
        """Ask for confirmation (GET), then do it (POST)."""
        found = verbs.find(str(self.opts.model_name), verb)
        if found is None:
            raise Http404
        if not self.is_allowed(request, found):
            refuse(request, found.name, found.kind, [unquote(object_id)])
        if request.method not in {"GET", "HEAD", "POST"}:
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        chosen = self.get_queryset(request).filter(pk=row.pk)
        confirmation = Confirmation(self, request, found, chosen, sent=request.method == "POST")
        return self.confirm(confirmation, row) or HttpResponseRedirect(self._behind(request, row))

    def confirm(self, confirmation: Confirmation, row: Any = None) -> HttpResponse | None:
        """Do what was confirmed, and return None; else the page that asks for it."""
        if confirmation.is_confirmed:
            order = confirmation.order()
            carry_out(order)
            if order.errors and not order.recorded:
                # What was typed stays, to be mended.
                confirmation.faults += order.errors
                return self._page(confirmation, row)
            tell(self, confirmation.request, order)
            return None
        return self._page(confirmation, row)

    def _page(self, asked: Confirmation, row: Any) -> HttpResponse:
        asked.request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(asked.request),
            "title": asked.question,
            "opts": self.opts,
            "media": self.media + asked.form.media,
            "asked": asked,
            "verb": asked.verb,
            "form": asked.form,
            "count": len(asked.rows),
            "named": asked.named(),
            "more": max(0, len(asked.rows) - MOST_NAMED),
            "preview": asked.preview[:MOST_NAMED],
            "preview_count": len(asked.preview),
            "row": None if row is None else shortened(plain(row), 120),
            "row_url": None if row is None else row_url(self, row),
            "back": asked.request.get_full_path() if row is None else _wanted(asked.request) or row_url(self, row),
        }
        return TemplateResponse(asked.request, _TEMPLATE, context)

    def _behind(self, request: HttpRequest, row: Any) -> str:
        """Return where to go afterwards: where the address says, if that is here; the page; the list."""
        if wanted := _wanted(request):
            return wanted
        if self.get_queryset(request).filter(pk=row.pk).exists():
            return row_url(self, row)
        return self._reverse("changelist")

    def _verbs(self) -> list[Verb]:
        return verbs.verbs_of(str(self.opts.model_name))

    def _reverse(self, view: str) -> str:
        return reverse(f"admin:{self._url_name(view)}", current_app=self.admin_site.name)

    def _url_name(self, view: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{view}"


def _require_keys(pk: Any, keys: list[str]) -> None:
    """Raise BadRequest for keys that the column cannot have, of which databases would make an error."""
    for key in keys:
        try:
            pk.clean(key, None)
            is_possible = "\0" not in key
        except ValidationError:
            is_possible = False
        if not is_possible:
            message = f"No row can have the key {plain(shortened(key, 120))!r}."
            raise BadRequest(message)


def _wanted(request: HttpRequest) -> str:
    """Return where the address says to go afterwards; empty if that is not on this site."""
    wanted: str = request.GET.get(NEXT, "")
    is_here = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if is_here else ""


def _action(verb: Verb) -> Callable[[OperatedAdmin, HttpRequest, QuerySet[Any]], HttpResponse | None]:
    return partial(_act, verb)


def _act(verb: Verb, admin: OperatedAdmin, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponse | None:
    """Do a verb to what was chosen on the list; get_actions() has asked whether the user may."""
    sent = "confirmed" in request.POST or "look" in request.POST
    return admin.confirm(Confirmation(admin, request, verb, chosen, sent=sent))
