"""Waits for chains, and decodes their outputs."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from ..definitions import Chain, check_seconds
from ..errors import ChainCancelled, ChainFailed, InvalidArgument, JobTypeMismatch
from ..model import ChainOutcome, Status
from ..texts import LONGEST_TRACEBACK, cut
from .engine import Engine
from .waiter import Waiter

Out = TypeVar("Out")


class Results:
    """Waits for chains; returns their outputs, or raises if they failed or were cancelled."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiter: Waiter | None = None

    async def result(self, chain: Chain[Out], *, timeout: float | None) -> Out:
        """Return the output of a chain once it has ended; see ``Client.result`` for the errors."""
        check_chain(chain)
        if timeout is not None:
            check_seconds("timeout", timeout)
        self._waiter = self._waiter or Waiter(self._engine)  # a client that never waits runs no loop for it
        return cast(Out, self._read(await self._waiter.wait(chain.id, timeout=timeout), chain))

    async def close(self) -> None:
        """Stop waiting; a later call waits anew."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            await waiter.close()

    def _read(self, outcome: ChainOutcome, chain: Chain[Any]) -> Any:
        check_type(chain, outcome.type)
        if outcome.status is Status.COMPLETED and outcome.output is not None:
            return self._engine.decode_output(outcome.output, chain.job_type, chain_id=chain.id)
        if outcome.status is Status.CANCELLED:
            raise ChainCancelled(f"chain {chain.id} was cancelled")
        raise ChainFailed(
            chain.id, cut(outcome.failure.text, LONGEST_TRACEBACK) if outcome.failure else "no reason was stored"
        )


def check_type(chain: Chain[Any], stored: str) -> None:
    """
    Refuse a handle whose type is not that of the stored chain: a payload could be decoded as the wrong type if it fits.

    Raises:
        JobTypeMismatch: the chain began with another type.
    """
    # The holder of a key of the type is of that type, if under a newer name that this code does not know yet.
    if stored not in chain.job_type.names and not chain.deduplicated:
        raise JobTypeMismatch(f"chain {chain.id} began with {stored!r}, not with {chain.job_type.name!r}")


def check_chain(chain: object) -> None:
    """Refuse anything but the handle of a chain."""
    if not isinstance(chain, Chain):
        raise InvalidArgument("chain", f"is {chain!r}; give a Chain, or make one with Chain(id, job_type)")
