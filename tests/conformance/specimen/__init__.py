"""An adapter over dictionaries, into which faults are planted: what the kit and the machines are tried on."""

from __future__ import annotations

from otelq.errors import InvalidArgument
from otelq.ports.state import StateAdapter

from .state import MemoryState
from .transaction import MemoryTransaction

__all__ = ["MemoryTransaction", "adapter"]


def adapter(target: object, *, schema: str = "otelq", **options: object) -> StateAdapter:
    """
    A store of its own: two adapters for the same ``target`` share nothing.

    ``schema`` is taken for the sake of likeness and means nothing here.

    Raises:
        InvalidArgument: there are options; this store has none.
    """
    _refuse(options)
    return MemoryState()


def _refuse(options: dict[str, object]) -> None:
    for name in options:
        raise InvalidArgument(name, "is no option of the specimen; leave it out")
