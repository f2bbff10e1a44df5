"""Tables that can take back what was written to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Journal:
    """How to undo what the open transaction wrote, newest last."""

    __slots__ = ("_undo",)

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []

    def add(self, undo: Callable[[], object]) -> None:
        self._undo.append(undo)

    def mark(self) -> int:
        """A place to come back to."""
        return len(self._undo)

    def back_to(self, mark: int) -> None:
        while len(self._undo) > mark:
            self._undo.pop()()

    def clear(self) -> None:
        self._undo.clear()


class Table(Generic[K, V]):
    """
    Rows by key; a row is an immutable value, so that a reader can keep what it read.

    ``written`` is called after every change, also one that takes another back, with the key, the row before
    and the row now; an index hangs there.
    """

    __slots__ = ("_before", "_journal", "_rows", "_written")

    def __init__(self, journal: Journal, written: Callable[[K, V | None, V | None], None] | None = None) -> None:
        self._journal = journal
        self._written = written
        self._rows: dict[K, V] = {}
        self._before: dict[K, V | None] = {}

    def get(self, key: K) -> V | None:
        return self._rows.get(key)

    def __getitem__(self, key: K) -> V:
        return self._rows[key]

    def __contains__(self, key: K) -> bool:
        return key in self._rows

    def __iter__(self) -> Iterator[K]:
        return iter(tuple(self._rows))

    def put(self, key: K, row: V) -> None:
        self._write(key, row)

    def pop(self, key: K) -> V | None:
        row = self._rows.get(key)
        if row is not None:
            self._write(key, None)
        return row

    def put_past(self, key: K, row: V) -> None:
        """Write outside the open transaction, a row that it has not touched."""
        self._set(key, row)

    def committed(self, key: K) -> V | None:
        """The row as it is to everybody outside the open transaction."""
        return self._before[key] if key in self._before else self._rows.get(key)

    def touched(self) -> tuple[K, ...]:
        """The keys that the open transaction wrote."""
        return tuple(self._before)

    def is_touched(self, key: K) -> bool:
        return key in self._before

    def settle(self) -> None:
        """Forget what was before: the transaction ended."""
        self._before.clear()

    def _write(self, key: K, row: V | None) -> None:
        old = self._rows.get(key)
        self._before.setdefault(key, old)
        self._journal.add(partial(self._set, key, old))
        self._set(key, row)

    def _set(self, key: K, row: V | None) -> None:
        old = self._rows.get(key)
        if row is None:
            self._rows.pop(key, None)
        else:
            self._rows[key] = row
        if self._written is not None:
            self._written(key, old, row)
