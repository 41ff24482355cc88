"""Where letters come from: a file that stands for a mail server."""

from __future__ import annotations

import json
from pathlib import Path

from django.db import transaction

from example_project.inbox.models import Letter
from example_project.inbox.workflows import answer_letter

LETTERS_FILE = Path(__file__).parent / "data" / "letters.json"


def fetch_letters() -> int:
    """
    Take in the letters that are not known yet, and start a workflow for each: all or none. Return how many.

    Letter and workflow are written in one transaction: there is none without the other.
    """
    count = 0
    with transaction.atomic():
        for values in json.loads(LETTERS_FILE.read_text(encoding="utf-8")):
            letter, is_new = Letter.objects.get_or_create(message_id=values.pop("message_id"), defaults=values)
            if is_new:
                answer_letter.using(id=letter.workflow_id).start(letter.pk)
                count += 1
    return count
