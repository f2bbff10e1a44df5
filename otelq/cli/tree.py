"""A tree as lines of text: each node with the branches that lead to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Node = TypeVar("Node")


def lines(root: Node, children: Callable[[Node], Sequence[Node]]) -> Iterator[tuple[str, Node]]:
    """Every node, parents first, with what is to be drawn before its name."""
    yield "", root
    yield from _below(root, children, "")


def _below(parent: Node, children: Callable[[Node], Sequence[Node]], indent: str) -> Iterator[tuple[str, Node]]:
    below = children(parent)
    for place, child in enumerate(below, start=1):
        branch, stem = ("└─ ", "   ") if place == len(below) else ("├─ ", "│  ")
        yield indent + branch, child
        yield from _below(child, children, indent + stem)
