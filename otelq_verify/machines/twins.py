"""Two adapters in lock-step: the same steps must get the same answers."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

from msgspec import Struct
from msgspec.structs import asdict

from otelq.model import Failure, Transition
from otelq.ports.state import StateAdapter

ALONE = frozenset({"open", "close", "truncate_all"})
"""Verbs without an answer to compare."""
PAYLOADS = frozenset({"input", "output", "amended_input"})


class Twins:
    """
    An adapter that asks two others, demands that they agree, and gives the answer of the first.

    Transitions of different chains may come in another order, and texts that an adapter writes itself may differ;
    all else must not, times included. It has every verb that needs no transaction; ``pair`` gives it the port's type.
    """

    def __init__(self, first: StateAdapter, second: StateAdapter) -> None:
        self._both = first, second
        self.name = f"{first.name} and {second.name}"

    def __getattr__(self, verb: str) -> Callable[..., Awaitable[Any]]:
        async def ask(*args: Any, **kwargs: Any) -> Any:
            first, second = [await _answer(getattr(one, verb), args, kwargs) for one in self._both]
            assert verb in ALONE or _plain(first) == _plain(second), f"{verb}: {self.name}: {first}; {second}"
            if isinstance(first, Exception):
                raise first
            return first

        return ask


def pair(first: StateAdapter, second: StateAdapter) -> StateAdapter:
    """Return two adapters as one."""
    return cast("StateAdapter", Twins(first, second))


async def _answer(verb: Callable[..., Awaitable[Any]], args: Any, kwargs: Any) -> object:
    """Return the adapter's answer, an error included."""
    try:
        return await verb(*args, **kwargs)
    except Exception as error:
        return error


def _plain(value: object) -> object:
    """Return an answer in a form that is equal for equal answers."""
    match value:
        case Exception():
            return type(value)
        case Failure(kind):
            return kind
        case Struct():
            return {name: _plain_field(name, one) for name, one in asdict(value).items()}
        case Mapping():
            return {key: _plain(one) for key, one in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case list() | tuple():
            return [_plain(one) for one in _in_order(cast("Sequence[Any]", value))]
        case _:
            return value


def _plain_field(name: str, value: object) -> object:
    if isinstance(value, str) and name in PAYLOADS:
        return json.loads(value)
    return _plain(value)


def _in_order(values: Sequence[Any]) -> Sequence[Any]:
    """Sort transitions chain by chain; those of one chain keep their order."""
    if values and all(isinstance(one, Transition) for one in values):
        return sorted(values, key=lambda made: made.chain_id)
    return values
