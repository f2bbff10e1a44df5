"""Listeners to SQLAlchemy's events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakMethod

from sqlalchemy import event


class Listeners:
    """Listeners that are added and removed together."""

    def __init__(self) -> None:
        self._listeners: list[tuple[Any, str, Callable[..., Any]]] = []

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def add(self, target: object, name: str, listener: Callable[..., Any], *, first: bool = False) -> None:
        """Listen to the events of this name."""
        self._listeners.append((target, name, listener))
        event.listen(target, name, listener, insert=first)

    def remove(self) -> None:
        """Stop listening. Not to be called while one of their events is dispatched."""
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            if event.contains(*listener):
                event.remove(*listener)


def weak_listener(method: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return a listener with a weak reference to the object of its method: an engine outlives its connections."""
    weak = WeakMethod(method)

    def listener(context: Any) -> None:
        if (strong := weak()) is not None:
            strong(context)

    return listener
