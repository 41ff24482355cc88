"""The refusal of one value on its way into a payload, which learns its path while it travels outward."""

from __future__ import annotations

import json
import reprlib

from durable_django.exceptions import NotSerializable, PayloadError, PayloadTooLarge

#: A path longer than this is shown by its two ends (parts).
LONGEST_PATH = 12


class Refusal(Exception):
    """
    A value cannot be stored. Every container it stands in adds its own part of the path.

    The path is built on the way out only, so that the values that can be stored do not pay for it.
    """

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.advice = advice
        self.parts: list[str] = []
        self.containers: list[int] = []

    def inside(self, container: object, part: str) -> None:
        """Note that the refused value stands at `part` of `container`."""
        self.parts.append(part)
        self.containers.append(id(container))

    def explained(self, path: str) -> PayloadError:
        """Return the error for users; `path` is the place of the outermost value."""
        return NotSerializable(path=path + self._where(), reason=self.reason, advice=self.advice)

    def _where(self) -> str:
        parts = self.parts[::-1]
        if len(parts) > LONGEST_PATH:
            parts[LONGEST_PATH // 2 : -LONGEST_PATH // 2] = ["..."]
        return "".join(parts)


class TooDeep(Refusal):
    """The value is nested deeper than allowed: really, or because it contains itself."""

    def __init__(self, levels: int, allowed: int) -> None:
        super().__init__("it contains itself.", "Pass keys or ids instead of references back to the container.")
        self.levels = levels
        self.allowed = allowed

    def explained(self, path: str) -> PayloadError:
        """See Refusal.explained()."""
        if self._shorten_to_cycle():
            return super().explained(path)
        where = path + self._where()
        return PayloadTooLarge(path=where, size=f"{self.levels} levels", limit="MAX_DEPTH", allowed=self.allowed)

    def _shorten_to_cycle(self) -> bool:
        # Only a container that stands inside itself can appear twice among those that were open.
        outermost_first = self.containers[::-1]
        for place, container in enumerate(outermost_first):
            if container in outermost_first[:place]:
                self.parts = self.parts[::-1][:place][::-1]
                return True
        return False


class TooLarge(Refusal):
    """The value is larger than allowed; noticed before it was written, so `size` is a lower bound (bytes)."""

    def __init__(self, size: int, allowed: int) -> None:
        super().__init__("it is too large.", "")
        self.size = size
        self.allowed = allowed

    def explained(self, path: str) -> PayloadError:
        """See Refusal.explained(). The whole is too large, not the part at which that was noticed."""
        return PayloadTooLarge(path=path, size=self.size, limit="MAX_PAYLOAD_BYTES", allowed=self.allowed)


def key_part(key: object) -> str:
    """Return how a path names the value under `key`."""
    if type(key) is str:
        return f"[{json.dumps(reprlib.repr(key)[1:-1] if len(key) > 30 else key)}]"  # noqa: PLR2004 - reprlib's own cut
    return f"[{reprlib.repr(key)}]"
