"""Value -> tree: what JSON can say, with tags for what it cannot; the tables say who packs which type."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from durable_django.base.payloads.refusals import Refusal, TooDeep, TooLarge
from durable_django.base.payloads.writing import CONTENT, TAG

#: Only None, bool, int, float, str, list and dict with str keys.
Tree = Any
PackFunction = Callable[["Packer", Any], Tree]
PackFunctionT = TypeVar("PackFunctionT", bound=PackFunction)

#: By base class, for types that users define; the first match in the order of inheritance counts.
FAMILIES: dict[type, PackFunction] = {}


class PackFunctions(dict[type, PackFunction]):
    """By exact type, since a subclass of a built-in type would come back as another type; else by family."""

    def __missing__(self, kind: type) -> PackFunction:
        # records.py enters a family for `object`. Not remembered: local classes could not be collected.
        return next(FAMILIES[base] for base in kind.__mro__ if base in FAMILIES)


PACKERS = PackFunctions()


def packs(*kinds: type) -> Callable[[PackFunctionT], PackFunctionT]:
    """Enter the decorated function for values of exactly these types."""
    return _enter(PACKERS, kinds)


def packs_family(*bases: type) -> Callable[[PackFunctionT], PackFunctionT]:
    """Enter the decorated function for values of the subclasses of these types."""
    return _enter(FAMILIES, bases)


def tagged(tag: str, content: Tree) -> Tree:
    """Return the tree of a value that JSON has no word for."""
    return {TAG: tag, CONTENT: content}


class Packer:
    """The way through one value, with its limits: levels of nesting, and a lower bound of the final size."""

    __slots__ = ("allowed", "deepest", "depth", "size")

    def __init__(self, *, deepest: int, allowed: int) -> None:
        self.deepest = deepest
        self.allowed = allowed
        self.depth = 0
        self.size = 0

    def pack(self, value: object) -> Tree:
        """Return the tree of the value; raise Refusal if it cannot be stored."""
        return PACKERS[type(value)](self, value)

    def items(self, values: Iterable[object]) -> list[Tree]:
        """Pack what stands at the places 0, 1, 2 ... of a container."""
        packed: list[Tree] = []
        try:
            for value in values:
                packed.append(PACKERS[type(value)](self, value))  # noqa: PERF401 - its length is the index
        except Refusal as refusal:
            refusal.inside(values, f"[{len(packed)}]")
            raise
        return packed

    def part(self, owner: object, value: object, part: str) -> Tree:
        """Pack what stands at a named place of its owner."""
        # The call is not made through pack(): with few frames a level, MAX_DEPTH levels fit on the stack.
        try:
            return PACKERS[type(value)](self, value)
        except Refusal as refusal:
            refusal.inside(owner, part)
            raise

    def enter(self, count: int) -> None:
        """Go one level down, into a container of so many parts."""
        self.depth += 1
        if self.depth > self.deepest:
            raise TooDeep(self.depth, self.deepest)
        self.spend(count)

    def leave(self) -> None:
        """Come back from the level that enter() went down to."""
        self.depth -= 1

    def spend(self, size: int) -> None:
        """
        Count what takes at least `size` characters.

        Counted before anything is written: a few lists that hold each other many times over would be gigabytes.
        """
        self.size += size
        if self.size > self.allowed:
            raise TooLarge(self.size, self.allowed)


def _enter(table: dict[type, PackFunction], kinds: tuple[type, ...]) -> Callable[[PackFunctionT], PackFunctionT]:
    def enter(function: PackFunctionT) -> PackFunctionT:
        table.update(dict.fromkeys(kinds, function))
        return function

    return enter
