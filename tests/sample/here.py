"""What the running test wants the samples to do."""

from __future__ import annotations

import inspect
from typing import Any


class Here:
    """
    Replaced by each test that needs it: see acting().

    `acts` and `acts_atomically` call it in a step, `acts_itself` in the workflow's own code.
    """

    @staticmethod
    def act() -> Any:
        return None

    @classmethod
    async def act_in_async(cls) -> Any:
        """Do it in async code, awaited if need be."""
        value = cls.act()
        return await value if inspect.isawaitable(value) else value
