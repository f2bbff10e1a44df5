"""The store of `memory://`, for tests that change one of its habits."""

from __future__ import annotations

from typing import TypeVar

from otelq.ports.state import StateAdapter, Transaction
from otelq.sqlite.owned_transactions import AiosqliteOwnedTransaction
from otelq.sqlite.state import SqliteState
from otelq.sqlite.statements import SqliteStatements

T = TypeVar("T", bound=AiosqliteOwnedTransaction)


class PrivateState(SqliteState):
    """A temporary database of its own; renewals go through it too, so that they meet the habit as well."""

    def __init__(self) -> None:
        super().__init__(None, SqliteStatements("otelq"), synchronous="off", busy_timeout=5.0)

    def sibling(self) -> StateAdapter | None:
        return None


def seen_as(kind: type[T], tx: Transaction) -> T:
    """The same transaction, with the habits of a subclass."""
    other = object.__new__(kind)
    vars(other).update(vars(tx))
    return other
