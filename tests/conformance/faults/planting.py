"""How a fault gets into the SQLite adapter, and out again at the end of a block."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import pytest
from msgspec import Struct

from .adapter import fill, load_templates

Replacement = Callable[..., Any]


class Fault(Struct, frozen=True):
    """A mistake that an adapter can have: those that are opened while it is ``planted`` have it."""

    name: str
    planted: Callable[[], AbstractContextManager[None]]


class Faults(list[Fault]):
    """The faults of one matter."""

    def statements(self, **edits: tuple[str, ...]) -> None:
        """Add faults of SQL, each with a statement, or a part of some, and texts in it with what replaces them."""
        for name, (statement, *texts) in edits.items():
            pairs = list(zip(texts[::2], texts[1::2], strict=True))
            self.append(Fault(name, partial(_reworded, statement, pairs)))

    def instead_of(self, *originals: Any) -> Callable[[Replacement], Replacement]:
        """Add the decorated function: it is called in the place of each original, which is its first argument."""

        def plant(replacement: Replacement) -> Replacement:
            self.append(Fault(replacement.__name__, partial(_called, originals, replacement)))
            return replacement

        return plant


@contextmanager
def replaced(places: Iterable[tuple[Any, str, Any]]) -> Generator[None]:
    """Give attributes of modules and classes other values while the block runs."""
    with pytest.MonkeyPatch.context() as patch:
        for owner, name, value in places:
            patch.setattr(owner, name, value)
        yield


@contextmanager
def _reworded(statement: str, pairs: Sequence[tuple[str, str]]) -> Generator[None]:
    folder = next(texts for texts in map(load_templates, ("sql", "sql/parts")) if statement in texts)
    text = folder[statement]
    for old, new in pairs:
        assert old in text, f"{statement}.sql has no {old!r}"
        text = text.replace(old, new)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(folder, statement, text)
        fill.cache_clear()
        yield
    fill.cache_clear()


def _called(originals: Iterable[Any], replacement: Replacement) -> AbstractContextManager[None]:
    return replaced((*place, _calling(replacement, each)) for each in originals for place in _places(each))


def _places(original: Any) -> list[tuple[Any, str]]:
    """Return where a function or property is found: in all modules that import it, or in its class."""
    home = sys.modules[getattr(original, "fget", original).__module__]
    classes = [kind for kind in vars(home).values() if isinstance(kind, type)]
    modules = [module for name, module in sys.modules.items() if name.startswith("otelq.")]
    found = [(owner, name) for owner in (*classes, *modules) for name, at in vars(owner).items() if at is original]
    assert found, f"nothing has {original}"
    return found


def _calling(replacement: Replacement, original: Any) -> Any:
    if isinstance(original, property):
        return property(_calling(replacement, original.fget))

    def call(*args: Any, **kwargs: Any) -> Any:
        return replacement(original, *args, **kwargs)

    return call
