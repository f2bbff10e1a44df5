"""Draws a tree as lines of text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Node = TypeVar("Node")


def walk(root: Node, children: Callable[[Node], Sequence[Node]]) -> Iterator[tuple[str, Node]]:
    """Yield every node, parents first, with the branches to draw before its name."""
    yield "", root
    yield from _walk_children(root, children, "")


def _walk_children(parent: Node, children: Callable[[Node], Sequence[Node]], indent: str) -> Iterator[tuple[str, Node]]:
    below = children(parent)
    for number, child in enumerate(below, start=1):
        branch, stem = ("└─ ", "   ") if number == len(below) else ("├─ ", "│  ")
        yield indent + branch, child
        yield from _walk_children(child, children, indent + stem)
