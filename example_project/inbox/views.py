"""The pages of the inbox: the letters, one letter with the form of the verdict, and the button that fetches more."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.defaultfilters import pluralize
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from durable_django import WorkflowFinished, get_event
from example_project.inbox.forms import VerdictForm
from example_project.inbox.mailbox import fetch_letters
from example_project.inbox.models import Letter
from example_project.inbox.verdicts import Verdict, send_verdict


@login_required
@require_safe
def letter_list(request: HttpRequest) -> HttpResponse:
    """Show all letters, those that wait for a verdict first, in one query."""
    letters = sorted(Letter.objects.with_progress(), key=lambda letter: not letter.waits_for_verdict)
    return render(
        request, "inbox/letters.html", {"letters": letters, "is_busy": any(letter.is_moving for letter in letters)}
    )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def letter_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a letter and what the assistant proposes; take the verdict."""
    letter = get_object_or_404(Letter.objects.with_progress(), pk=pk)
    form = VerdictForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        _decide(request, letter, form)
        return redirect("inbox:letters")
    proposal = get_event(letter.workflow_id, "proposal", timeout=0, default=None)
    context = {"letter": letter, "proposal": proposal, "form": form, "is_busy": letter.is_moving}
    return render(request, "inbox/letter.html", context)


def _decide(request: HttpRequest, letter: Letter, form: VerdictForm) -> None:
    values = form.cleaned_data
    verdict = Verdict(values["verdict"] == "approve", request.user.get_username(), values["note"])
    try:
        send_verdict(letter, verdict)
    except WorkflowFinished:
        messages.warning(request, f"“{letter}” was closed meanwhile.")
    else:
        messages.success(request, f"“{letter}”: your verdict is on its way.")


@login_required
@require_POST
def fetch(request: HttpRequest) -> HttpResponse:
    """Fetch new letters."""
    count = fetch_letters()
    messages.success(request, f"{count} new letter{pluralize(count)}.")
    return redirect("inbox:letters")
