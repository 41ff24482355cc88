"""One page: subscribe, send an issue, and see what has become of it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from example_project.newsletter.models import Delivery, Subscriber
from example_project.newsletter.tasks import greet, send_issue

LATEST = 20


class SubscriptionForm(forms.ModelForm):
    """The address of a new subscriber."""

    class Meta:
        model = Subscriber
        fields = ["email"]


class IssueForm(forms.Form):
    """What an issue says."""

    subject = forms.CharField(max_length=200)
    text = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}))


@require_safe
def newsletter(request: HttpRequest) -> HttpResponse:
    """Show the latest subscribers and deliveries."""
    return _page(request)


@require_POST
def subscribe(request: HttpRequest) -> HttpResponse:
    """Add a subscriber and enqueue the greeting, both or neither."""
    form = SubscriptionForm(request.POST, label_suffix="")
    if not form.is_valid():
        return _page(request, subscription=form, status=422)
    with transaction.atomic():
        subscriber = form.save(commit=False)
        subscriber.save()
        subscriber.greeting = greet.enqueue(subscriber.pk).id
        subscriber.save(update_fields=["greeting"])
    messages.success(request, f"{subscriber.email} will be welcomed.")
    return redirect("newsletter:newsletter")


@require_POST
def issue(request: HttpRequest) -> HttpResponse:
    """Enqueue an issue for everybody."""
    form = IssueForm(request.POST, label_suffix="")
    if not form.is_valid():
        return _page(request, issue=form, status=422)
    send_issue.enqueue(form.cleaned_data["subject"], form.cleaned_data["text"])
    messages.success(request, "The issue is on its way.")
    return redirect("newsletter:newsletter")


def _page(request: HttpRequest, *, status: int = 200, **forms_with_errors: Any) -> HttpResponse:
    subscribers = list(Subscriber.objects.order_by("-pk")[:LATEST])
    context = {
        "subscription": SubscriptionForm(label_suffix=""),
        "issue": IssueForm(label_suffix=""),
        "subscribers": [(each, greet.get_result(each.greeting)) for each in subscribers if each.greeting],
        "deliveries": Delivery.objects.select_related("subscriber").order_by("-pk")[:LATEST],
        **forms_with_errors,
    }
    return render(request, "newsletter/newsletter.html", context, status=status)
