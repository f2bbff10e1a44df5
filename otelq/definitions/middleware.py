"""What an application puts round every attempt, every transaction of an attempt, and every start."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from ..errors import InvalidArgument
from .attempt import Attempt, Handler

if TYPE_CHECKING:
    from ..client import Chain, Start


class Middleware:
    """
    The base of what stands round attempts, their transactions, and starts; override what you need.

    The methods of one instance are called by many attempts at once. The first in a list is the outermost; those of
    ``Worker(middleware=[...])`` stand round those of the slice, ``Jobs(middleware=[...])``. For starts they are given
    to the client: ``connect(..., middleware=[...])``.
    """

    async def attempt(self, attempt: Attempt[Any], call: Handler) -> Any:
        """
        Round the handler, wherever that runs: ``await call(attempt)`` runs what is further in.

        It gives what the handler returned, an output or a ``Continue``, and raises what the handler raised; both may
        be replaced. What a handler that raised had written in its completion is rolled back by then, and stays so.
        Whatever is raised here, also before ``call``, is a failed attempt or a decision like those of the handler.
        What ``attempt.provide`` is given here, ``attempt.get`` finds further in.
        """
        return await call(attempt)

    def transaction(self, attempt: Attempt[Any], tx: Any) -> AbstractAsyncContextManager[None]:
        """
        Round each ``attempt.transaction()``, and ``attempt.completion()``: entered when ``tx`` has begun.

        It is left before the commit, of a completion when the handler has returned; an error raised then rolls back.
        When the transaction is rolled back it is left with the error, and cannot make it good.
        """
        return nullcontext()

    async def start(
        self, starts: Sequence[Start[Any]], call: Callable[[Sequence[Start[Any]]], Awaitable[list[Chain[Any]]]]
    ) -> list[Chain[Any]]:
        """
        Round each call of the client that starts chains: ``await call(starts)`` writes them, in the same transaction.

        The starts may be replaced, by as many; an error raised before ``call`` starts nothing.
        """
        return await call(starts)


def check_middleware(argument: str, middleware: Iterable[Middleware]) -> tuple[Middleware, ...]:
    """Refuse what is no sequence of ``Middleware``."""
    if not isinstance(middleware, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise InvalidArgument(argument, f"is {middleware!r}; give several, as in a list")
    given = tuple(middleware)
    for one in given:
        if not isinstance(one, Middleware):  # pyright: ignore[reportUnnecessaryIsInstance]  # likewise
            raise InvalidArgument(argument, f"holds {one!r}; give instances of classes derived from otelq.Middleware")
    return given


def overrides(middleware: Middleware, method: str) -> bool:
    """Whether this middleware has something to do there."""
    return getattr(type(middleware), method) is not getattr(Middleware, method)
