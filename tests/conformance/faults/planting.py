"""How a fault gets into the memory adapter: one method is replaced while the fault lasts."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import msgspec

from otelq.memory.queries import Reader
from otelq.memory.state import MemoryState
from otelq.memory.statement import Statement
from otelq.memory.store import Line, Store
from otelq.memory.tables import Journal, Table
from otelq.memory.transaction import MemoryTransaction


class Fault(msgspec.Struct, frozen=True):
    """One method of the memory adapter, and what stands in its place."""

    owner: type
    method: str
    replacement: Any

    @property
    def name(self) -> str:
        return str(self.replacement.__name__)

    @contextmanager
    def planted(self) -> Generator[None]:
        """While the block runs, every memory adapter has the fault."""
        sound = self.owner.__dict__[self.method]
        setattr(self.owner, self.method, self.replacement)
        try:
            yield
        finally:
            setattr(self.owner, self.method, sound)


FAULTS: list[Fault] = []


def instead_of(owner: type, method: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def plant(replacement: Callable[..., Any]) -> Callable[..., Any]:
        FAULTS.append(Fault(owner, method, replacement))
        return replacement

    return plant


_real: dict[str, Callable[..., Any]] = {
    f"{owner.__name__}.{name}": getattr(owner, name)
    for owner in (Statement, MemoryState, Reader, Store, Line, Journal, Table, MemoryTransaction)
    for name in vars(owner)
    if callable(getattr(owner, name)) and not name.startswith("__")
}


def real(name: str, *args: Any, **kwargs: Any) -> Any:
    """The method as it was, by class and name."""
    return _real[name](*args, **kwargs)
