"""Value -> text: the whole way, with the limits, and the errors in the words of the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from durable_django.base.payloads.packing import Packer
from durable_django.base.payloads.refusals import Refusal, TooLarge
from durable_django.base.payloads.writing import dump, flat_text
from durable_django.conf import durable_settings
from durable_django.exceptions import NotSerializable, PayloadTooLarge

#: Texts up to here are never refused for their size, which spares small values the look at the setting.
FREE_BYTES = 256


def encode(value: object, path: str = "value") -> str:
    """
    Return the text to store for a value: JSON in ASCII.

    path  how errors call the value, e.g. "argument 'order'"

    Raises NotSerializable, whose `path` goes down to the offending part, or PayloadTooLarge.
    """
    text = flat_text(value)
    if text is None:
        with explaining(path):
            text = dump(new_packer().pack(value))
    check_size(text, path)
    return text


def check_size(text: str, path: str) -> None:
    """Raise PayloadTooLarge if the text is over the limit."""
    if len(text) <= FREE_BYTES:
        return
    allowed = durable_settings.MAX_PAYLOAD_BYTES
    if len(text) > allowed:
        raise PayloadTooLarge(path=path, size=len(text), limit="MAX_PAYLOAD_BYTES", allowed=allowed)


def new_packer() -> Packer:
    """Return a packer with the limits of the settings."""
    return Packer(deepest=durable_settings.MAX_DEPTH, allowed=max(FREE_BYTES, durable_settings.MAX_PAYLOAD_BYTES))


@contextmanager
def explaining(path: str, whole: str = "") -> Iterator[None]:
    """Turn a refusal of the value called `path` into the error for users; `whole` is what may be too large."""
    try:
        yield
    except Refusal as refusal:
        name = whole or path if isinstance(refusal, TooLarge) else path
        # The trail of inner frames says nothing that the path does not.
        raise refusal.explained(name) from refusal.__cause__
    except RecursionError as error:
        raise NotSerializable(
            path=path,
            reason="it is nested deeper than the stack allows here.",
            advice="Flatten it, or call from less deep code.",
        ) from error
