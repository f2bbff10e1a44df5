"""The client: starts chains, awaits and closes them, and answers questions about them."""

from __future__ import annotations

from typing import TypeVar, cast

from ..definitions import Chain, check_seconds
from ..errors import ChainCancelled, ChainFailed, InvalidArgument, JobTypeMismatch
from ..model import Status
from ..texts import TRACE, cut
from .questions import Asking

Out = TypeVar("Out")


class Client(Asking):
    """
    One application's access to its chains; made by ``otelq.connect``.

    Use it as an async context manager, or call ``open`` and ``aclose``. It belongs to the process and the event loop
    that opened it; elsewhere, or after a fork, every call raises ``WrongLoop``. It may be opened again.
    """

    async def result(self, chain: Chain[Out], *, timeout: float | None = None) -> Out:
        """
        Wait for the chain's output.

        Args:
            chain: a handle, from a start or made with ``Chain(id, job_type)``.
            timeout: seconds to wait at most; None waits for ever.

        Raises:
            TimeoutError: it is still open after ``timeout``; it goes on all the same.
            ChainFailed, ChainCancelled: it ended without an output.
            JobTypeMismatch: it began with another type than the handle says.
            NotFound: it does not exist, or was deleted meanwhile.
        """
        if not isinstance(chain, Chain):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            raise InvalidArgument("chain", f"is {chain!r}; give a Chain, or make one with Chain(id, job_type)")
        if timeout is not None:
            check_seconds("timeout", timeout)
        self._check_home()
        assert self._waiter is not None
        outcome = await self._waiter.wait(chain.id, timeout=timeout)
        if outcome.type != chain.job_type.name:
            raise JobTypeMismatch(f"chain {chain.id} began with {outcome.type!r}, not with {chain.job_type.name!r}")
        if outcome.status is Status.COMPLETED and outcome.output is not None:
            return cast(Out, self._engine.decode_output(outcome.output, chain.job_type, chain_id=chain.id))
        if outcome.status is Status.CANCELLED:
            raise ChainCancelled(f"chain {chain.id} was cancelled")
        raise ChainFailed(chain.id, cut(outcome.failure.text, TRACE) if outcome.failure else "no reason was stored")
