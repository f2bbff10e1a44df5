"""How a fault gets into the specimen: one function or method is replaced while the fault lasts."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import msgspec

from tests.conformance.specimen import (
    asking,
    claiming,
    closing,
    ending,
    filters,
    keys,
    moving,
    redriving,
    settling,
    starting,
    sweeping,
    unblocking,
)
from tests.conformance.specimen.asking import Reader
from tests.conformance.specimen.state import MemoryState
from tests.conformance.specimen.statement import Statement
from tests.conformance.specimen.store import Line, OpenJob, Store
from tests.conformance.specimen.tables import Journal, Table
from tests.conformance.specimen.transaction import MemoryTransaction

Owner = type | ModuleType


class Fault(msgspec.Struct, frozen=True):
    """One function or method of the specimen, and what stands in its place."""

    owner: Owner
    method: str
    replacement: Any

    @property
    def name(self) -> str:
        return str(self.replacement.__name__)

    @contextmanager
    def planted(self) -> Generator[None]:
        """While the block runs, every adapter of the specimen has the fault."""
        sound = self.owner.__dict__[self.method]
        setattr(self.owner, self.method, self.replacement)
        try:
            yield
        finally:
            setattr(self.owner, self.method, sound)


FAULTS: list[Fault] = []


def instead_of(owner: Owner, method: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def plant(replacement: Callable[..., Any]) -> Callable[..., Any]:
        FAULTS.append(Fault(owner, method, replacement))
        return replacement

    return plant


ROOMS = (
    asking, claiming, closing, ending, filters, keys, moving, redriving, settling, starting, sweeping, unblocking,
)  # fmt: skip
CLASSES = (Statement, MemoryState, Reader, Store, OpenJob, Line, Journal, Table, MemoryTransaction)
_real: dict[str, Callable[..., Any]] = {
    f"{owner.__name__.rpartition('.')[2]}.{name}": getattr(owner, name)
    for owner in (*CLASSES, *ROOMS)
    for name in vars(owner)
    if callable(getattr(owner, name)) and not name.startswith("__")
}


def real(name: str, *args: Any, **kwargs: Any) -> Any:
    """The function or method as it was, by its file or class and name."""
    return _real[name](*args, **kwargs)
