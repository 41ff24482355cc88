"""Why a demo cannot go on."""

from __future__ import annotations


class DemoFailed(Exception):
    """Base class; the text is for whoever started the demo."""


class ProcessEnded(DemoFailed):
    """A process that should run has ended."""

    def __init__(self, name: str, code: int) -> None:
        super().__init__(f"{name} ended by itself with exit code {code}.")


class NothingToDisturb(DemoFailed):
    """The worker that is to be killed was never seen with a workflow."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} was never seen with a workflow. Is this machine very busy? Try again.")


class TookTooLong(DemoFailed):
    """The workflows have not ended in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The checkouts did not end within {seconds:.0f} seconds.")
