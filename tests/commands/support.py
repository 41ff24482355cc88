"""Calling `manage.py durable`, in this process or in one of its own."""

import contextlib
import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from unittest import mock

from django.core.management import call_command

from tests.crashes.harness import WITHOUT_ADMIN

PROJECT = Path(__file__).parent.parent.parent


def durable(*arguments):
    """Return what the command prints."""
    return said(*arguments)[0]


def said(*arguments):
    """Return what the command prints, and what it says beside."""
    out, err = StringIO(), StringIO()
    call_command("durable", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def answer(*arguments):
    """Return what the command says to a program."""
    return json.loads(durable(*arguments, "--json"))


def listed(*filters):
    """Return the ids that the filters leave."""
    return [row["id"] for row in answer("list", *filters)]


@contextlib.contextmanager
def at_a_terminal(reply):
    """Pretend that somebody sits there, who types the reply or, if it is an exception, raises it."""
    terminal = mock.Mock(isatty=lambda: True)
    with mock.patch("sys.stdin", terminal), mock.patch("builtins.input", side_effect=[reply]) as asked:
        yield asked


def begun(*arguments, environment=None, **options):
    """Begin the command in a process of its own, without a terminal."""
    return subprocess.Popen(
        [sys.executable, "-m", "django", "durable", *arguments],
        cwd=PROJECT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", **WITHOUT_ADMIN, **(environment or {})},
        stdin=subprocess.DEVNULL,
        **options,
    )


def ended(*arguments, environment=None):
    """Return the process of the command when it has ended, with `returncode`, `stdout` and `stderr`."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with begun(*arguments, environment=environment, **options) as command:
        out, err = command.communicate(timeout=120)
    return subprocess.CompletedProcess(command.args, command.returncode, out, err)
