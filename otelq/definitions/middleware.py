"""Middleware: code of the application that runs around attempts, their transactions, and starts."""

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
    The base class of code that runs around attempts, their transactions, and starts. Override the methods that you
    need.

    Many attempts call the methods of one instance at once. The first middleware in a list is the outermost; that of
    ``Worker(middleware=[...])`` runs outside that of ``Jobs(middleware=[...])``. Give middleware for starts to the
    client: ``connect(..., middleware=[...])``.
    """

    async def attempt(self, attempt: Attempt[Any], call: Handler) -> Any:
        """
        Run the handler with ``await call(attempt)``, and return its output or ``Continue``, or another.

        ``call`` raises the handler's exception; by then the rows of its completion transaction are rolled back, for
        good. An exception from here, before or after ``call``, counts like one of the handler: as a failed attempt, or
        as a decision. Objects given to ``attempt.provide`` here are found by ``attempt.get`` further in.

        Args:
            attempt: the attempt.
            call: runs the next middleware, or the handler, wherever that runs.
        """
        return await call(attempt)

    def transaction(self, attempt: Attempt[Any], tx: Any) -> AbstractAsyncContextManager[None]:
        """
        Return a context manager for each ``attempt.transaction()`` and ``attempt.completion()``, entered when it has
        begun.

        It is left before the commit; for a completion, after the handler has returned. An error raised then rolls back.
        When the transaction is rolled back it is left with the error, and cannot prevent the rollback.

        Args:
            attempt: the attempt.
            tx: the connection or session of the transaction.
        """
        return nullcontext()

    async def start(
        self, starts: Sequence[Start[Any]], call: Callable[[Sequence[Start[Any]]], Awaitable[list[Chain[Any]]]]
    ) -> list[Chain[Any]]:
        """
        Start chains with ``await call(starts)``, and return their handles.

        The starts may be replaced by as many others. An error raised before ``call`` starts nothing.

        Args:
            starts: the starts of one call of the client.
            call: writes them, in the transaction of the caller if there is one.
        """
        return await call(starts)


def check_middleware(argument: str, middleware: Iterable[Middleware]) -> tuple[Middleware, ...]:
    """Return the middleware in a tuple; refuse other values among it."""
    if not isinstance(middleware, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise InvalidArgument(argument, f"is {middleware!r}; give several, as in a list")
    given = tuple(middleware)
    for one in given:
        if not isinstance(one, Middleware):  # pyright: ignore[reportUnnecessaryIsInstance]  # likewise
            raise InvalidArgument(argument, f"holds {one!r}; give instances of classes derived from otelq.Middleware")
    return given


def overrides(middleware: Middleware, method: str) -> bool:
    """Return whether this middleware overrides the method."""
    return getattr(type(middleware), method) is not getattr(Middleware, method)
