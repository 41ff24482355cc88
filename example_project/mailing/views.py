"""The pages of the mailing: the clubs with their turns, the queue, and one club with its members."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from durable_django.models import Queue
from example_project.mailing.forms import LetterForm, ProfileForm
from example_project.mailing.letters import write_to_all
from example_project.mailing.models import Club, Member
from example_project.mailing.profiles import profile_changed
from example_project.mailing.workflows import mails

MOST_MEMBERS = 50


@require_safe
def club_list(request: HttpRequest) -> HttpResponse:
    """Show the clubs with how far their letters are, and the queue that they share."""
    clubs = list(Club.objects.with_progress())
    context = {
        "clubs": clubs,
        "queue": Queue.objects.filter(pk=mails.name).first(),
        "is_busy": any(club.waiting_count for club in clubs),
    }
    return render(request, "mailing/clubs.html", context)


@require_safe
def club_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a club with its letters and members."""
    club = get_object_or_404(Club.objects.with_progress(), slug=slug)
    context = {"club": club, "members": club.members.all()[:MOST_MEMBERS], "is_busy": bool(club.waiting_count)}
    return render(request, "mailing/club.html", context)


@require_POST
def write(request: HttpRequest, slug: str) -> HttpResponse:
    """Write to all members of a club."""
    club = get_object_or_404(Club, slug=slug)
    form = LetterForm(request.POST)
    if form.is_valid():
        letter = write_to_all(club, form.cleaned_data["subject"])
        messages.success(request, f"“{letter}” is on its way to {letter.copies.count()} members of {club}.")
    else:
        messages.warning(request, "A letter needs a subject.")
    return redirect("mailing:clubs")


@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Show the profile of a member, and change it."""
    member = get_object_or_404(Member.objects.select_related("club"), pk=pk, club__slug=slug)
    form = ProfileForm(request.POST if request.method == "POST" else None, instance=member)
    if form.is_valid():
        with transaction.atomic():
            profile_changed(form.save())
        messages.success(request, f"Changed. {member} is told when nothing more is changed for a while.")
        return redirect("mailing:profile", slug, pk)
    return render(request, "mailing/profile.html", {"member": member, "form": form})


@login_required
@require_POST
def pause(request: HttpRequest) -> HttpResponse:
    """Stop all mails: nothing more is claimed, what runs goes on."""
    mails.pause()
    messages.success(request, "No further mail leaves. What was being sent is finished.")
    return redirect("mailing:clubs")


@login_required
@require_POST
def resume(request: HttpRequest) -> HttpResponse:
    """Let mails leave again."""
    mails.resume()
    messages.success(request, "Mails leave again.")
    return redirect("mailing:clubs")
