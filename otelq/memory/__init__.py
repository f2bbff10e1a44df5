"""Jobs kept in this process: for tests, and for what may be lost with it."""

from __future__ import annotations

from ..errors import InvalidArgument
from ..ports.notify import NotifyAdapter
from ..ports.state import StateAdapter
from .notify import MemoryNotify
from .state import MemoryState
from .transaction import MemoryTransaction

__all__ = ["MemoryTransaction", "adapter", "notifier"]


def adapter(target: object, *, schema: str = "otelq", **options: object) -> StateAdapter:
    """
    A store of its own: two adapters for the same ``target`` share nothing.

    ``schema`` is taken for the sake of likeness and means nothing here.

    Raises:
        InvalidArgument: there are options; this store has none.
    """
    _refuse(options)
    return MemoryState()


def notifier(target: object = None, **options: object) -> NotifyAdapter:
    """
    Hints within one process.

    Raises:
        InvalidArgument: there are options; this adapter has none.
    """
    _refuse(options)
    return MemoryNotify()


def _refuse(options: dict[str, object]) -> None:
    for name in options:
        raise InvalidArgument(name, "is no option of the memory adapter; leave it out")
