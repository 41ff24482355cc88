"""Bracketed text on one line if it fits, else one part a line: the look of the descriptions of stored values."""

from __future__ import annotations

from dataclasses import dataclass

_INDENT = "    "


@dataclass(frozen=True)
class Group:
    """Parts between two brackets, each with what stands before it: a key and a colon, or a name and an equals sign."""

    opening: str
    parts: tuple[tuple[str, Node], ...]
    closing: str


#: A text without parts, or a group.
Node = str | Group


def flat(node: Node) -> str:
    """Return the node on one line."""
    if isinstance(node, str):
        return node
    parts = ", ".join(f"{label}{flat(part)}" for label, part in node.parts)
    return f"{node.opening}{parts.rstrip()}{node.closing}"


def laid_out(node: Node, width: int, indent: str = "", taken: int = 0) -> str:
    """
    Return the node over as many lines as it takes.

    width   characters that a line should not exceed
    indent  what stands before each further line
    taken   characters that the first line already has, without the indent
    """
    line = flat(node)
    if isinstance(node, str) or not node.parts or len(indent) + taken + len(line) <= width:
        return line
    inner = indent + _INDENT
    lines = [f"{inner}{label}{laid_out(part, width, inner, len(label))}," for label, part in node.parts if part != ""]
    return "\n".join([node.opening, *lines, f"{indent}{node.closing}"])
