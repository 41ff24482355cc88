"""Django's lazy objects, stored as what they stand for: a translation as text, request.user as the user."""

from __future__ import annotations

from typing import Any

from django.utils.functional import LazyObject, Promise, empty

from durable_django.base.payloads.packing import Packer, Tree, packs_family


@packs_family(Promise)
def pack_promise(packer: Packer, value: Any) -> Tree:
    """Evaluate a lazy call once more; it does so for every operation."""
    # What a proxy pickles to is its function and arguments: the only way to the result whatever its type.
    _, (function, args, kwargs, *_result_classes) = value.__reduce__()
    return packer.pack(function(*args, **kwargs))


@packs_family(LazyObject)
def pack_lazy_object(packer: Packer, value: Any) -> Tree:
    """Set the object up if nothing has used it yet."""
    if value._wrapped is empty:  # noqa: SLF001 - the proxy has no public word for what it wraps
        value._setup()  # noqa: SLF001 - as above
    return packer.pack(value._wrapped)  # noqa: SLF001 - as above
