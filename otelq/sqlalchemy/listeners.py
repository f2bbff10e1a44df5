"""Listeners to SQLAlchemy's events, which must be taken away again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakMethod

from sqlalchemy import event


class Listeners:
    """Some listeners that come and go together."""

    def __init__(self) -> None:
        self._listeners: list[tuple[Any, str, Callable[..., Any]]] = []

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def add(self, target: object, name: str, listener: Callable[..., Any], *, first: bool = False) -> None:
        """Listen to the events of this name."""
        self._listeners.append((target, name, listener))
        event.listen(target, name, listener, insert=first)

    def remove(self) -> None:
        """Listen no more; not to be called while an event of theirs is told."""
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            if event.contains(*listener):
                event.remove(*listener)


def weak_listener(method: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return a listener that does not keep the object of its method: an engine outlives its connections."""
    weak = WeakMethod(method)

    def listener(context: Any) -> None:
        if (strong := weak()) is not None:
            strong(context)

    return listener
