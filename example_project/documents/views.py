"""The pages of the counts: the latest ones, the button that starts one, and the report of one."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from durable_django import get_handle
from durable_django.models import Workflow
from example_project.documents.counting import encoding_of
from example_project.documents.workflows import Line, count_folder

LATEST = 20


@require_safe
def count_list(request: HttpRequest) -> HttpResponse:
    """Show the latest counts."""
    counts = Workflow.objects.filter(name=count_folder.name).order_by("-created_at")[:LATEST]
    return render(request, "documents/counts.html", {"counts": counts})


@require_POST
def count(_request: HttpRequest) -> HttpResponse:
    """Start a count, and show it."""
    return redirect("documents:report", count_folder.start().id)


@require_safe
def report(request: HttpRequest, workflow_id: str) -> HttpResponse:
    """Show a count: its children as far as they are, and when it has ended what it has gathered from them."""
    workflow = get_object_or_404(Workflow, pk=workflow_id, name=count_folder.name)
    lines = _lines_of(workflow)
    children = [_row(child, lines) for child in workflow.children.order_by("line")]
    counted = [line.count for line in lines.values() if line.count]
    context = {
        "workflow": workflow,
        "children": children,
        "total": {
            "lines": sum(each.lines for each in counted),
            "words": sum(each.words for each in counted),
            "characters": sum(each.characters for each in counted),
        },
        "unreadable": len(lines) - len(counted),
        "is_busy": not workflow.is_finished,
    }
    return render(request, "documents/report.html", context)


def _lines_of(workflow: Workflow) -> dict[str, Line]:
    """Return the lines of the report by file, none before the workflow has succeeded."""
    if workflow.status != "succeeded":
        return {}
    return {line.file: line for line in get_handle(workflow.pk).result()}


def _row(child: Workflow, lines: dict[str, Line]) -> dict[str, Any]:
    file = child.attributes["file"]
    return {"workflow": child, "file": file, "encoding": encoding_of(file), "line": lines.get(file)}
