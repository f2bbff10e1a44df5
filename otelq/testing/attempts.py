"""Attempts for testing handlers as functions, with no database and no worker."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias, TypeVar

from ..client import Client, new_id
from ..definitions import Attempt, JobType
from ..errors import InvalidArgument
from ..model import CancelReason, ChainOutcome, Meta, Status, job_id
from ..worker.context import Provided

In = TypeVar("In")
Out = TypeVar("Out")
X = TypeVar("X")

Blocker: TypeAlias = tuple[JobType[Any, Any], object] | ChainOutcome
"""A job type with the output of a completed chain, or the state of any chain."""


def attempt(
    input: In,
    *,
    type: str = "test",
    number: int = 1,
    provide: Sequence[object] = (),
    blockers: Sequence[Blocker] = (),
    tags: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    tenant: str | None = None,
    request_id: str | None = None,
    time_left: float | None = None,
    client: Client | None = None,
    tx: object | None = None,
) -> Attempt[In]:
    """
    Return an attempt, to call a handler with in a test.

    Args:
        input: the input of the job, passed on unchanged.
        type: the name of the job's type.
        number: the number of the attempt, from 1.
        provide: objects that ``attempt.get`` finds by their type.
        blockers: results of ``attempt.blockers`` and ``attempt.blocker_outcomes``, in order: pairs of a job type and
            the output of a completed chain, or ``ChainOutcome`` values.
        tags: the tags of the chain.
        headers: the headers of the chain.
        tenant: the tenant of the chain.
        request_id: the request id of the chain.
        time_left: the seconds that ``attempt.time_left`` returns.
        client: the value of ``attempt.client``; without it, reading that raises ``InvalidArgument``.
        tx: the value that ``attempt.transaction`` and ``attempt.completion`` give; without it, they raise
            ``InvalidArgument``.
    """
    chain = new_id()
    scope = _TestScope(provide=provide, blockers=blockers, time_left=time_left, client=client, tx=tx)
    return Attempt(
        input,
        type=type,
        number=number,
        chain_id=chain,
        job_id=job_id(chain, 0),
        token=secrets.randbits(63),
        meta=Meta(tags=dict(tags or {}), headers=dict(headers or {}), tenant=tenant, request_id=request_id),
        scope=scope,
    )


class _TestScope:
    def __init__(
        self,
        *,
        provide: Sequence[object],
        blockers: Sequence[Blocker],
        time_left: float | None,
        client: Client | None,
        tx: object | None,
    ) -> None:
        self.cancel_reason: CancelReason | None = None
        self.stopping = asyncio.Event()
        self.stop_reason: CancelReason | None = None
        self.time_left = time_left
        self._provided = Provided(provide)
        self._blockers = [one if isinstance(one, ChainOutcome) else _completed(*one) for one in blockers]
        self._client = client
        self._tx = tx

    @property
    def client(self) -> Client:
        if self._client is None:
            raise InvalidArgument("client", "was not given to this attempt; pass attempt(..., client=client)")
        return self._client

    def provided(self, kind: type[X], /) -> X:
        return self._provided.get(kind)

    def provide(self, kind: type, thing: object, /) -> None:
        self._provided.put(kind, thing)

    def blockers(self, job_type: JobType[Any, Out], /) -> list[Out]:
        decode = job_type.signature.output.decode
        mine = [chain.output for chain in self._blockers if chain.type in job_type.names]
        return [decode(output) for output in mine if output is not None]

    def blocker_outcomes(self) -> list[ChainOutcome]:
        return list(self._blockers)

    @asynccontextmanager
    async def transaction(self, kind: type | None, /, *, attempt: Attempt[Any]) -> AsyncGenerator[Any]:
        yield await self.completion(kind, attempt=attempt)

    async def completion(self, kind: type | None, /, *, attempt: Attempt[Any]) -> Any:
        if self._tx is None:
            raise InvalidArgument("tx", "was not given to this attempt; pass attempt(..., tx=connection)")
        return self._tx


def _completed(job_type: JobType[Any, Any], output: object) -> ChainOutcome:
    text = job_type.signature.output.encode(output, argument="blockers")
    return ChainOutcome(chain_id=new_id(), type=job_type.name, status=Status.COMPLETED, output=text)
