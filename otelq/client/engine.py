"""The adapters and settings that all parts of a client share."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from ..codec import PayloadPipeline, PayloadPlace
from ..definitions import JobType
from ..effects import Effects
from ..errors import UndecodablePayload
from ..ports.notify import NotifyAdapter
from ..ports.state import StateAdapter, Transaction
from ..telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Engine:
    """The adapters of a client, its telemetry, the effects of its commits, and the form of its payloads."""

    state: StateAdapter
    notify: NotifyAdapter
    effects: Effects
    telemetry: Telemetry
    payloads: PayloadPipeline
    served: Counter[str] = field(default_factory=Counter[str])
    """The number of workers in this process that serve a job type; ``Client.explain`` uses it."""

    @property
    def hears_others(self) -> bool:
        """Return whether a write of another process is noticed soon without a poll, or there are no others."""
        return self.notify.is_hearing or self.state.reports_changes

    def encode_input(self, value: object, job_type: JobType[Any, Any], *, chain_id: str, argument: str) -> str:
        """Return the stored form of a job's input; ``InvalidArgument`` names ``argument``."""
        place = PayloadPlace("input", chain_id, job_type.name)
        return self.payloads.encode(value, payload=job_type.signature.input, place=place, argument=argument)

    def decode_input(self, text: str, job_type: JobType[Any, Any], *, chain_id: str) -> Any:
        """
        Return the input of a job from its stored form.

        Raises:
            UndecodablePayload: it does not fit the type.
        """
        try:
            return self._decode_input(text, job_type, PayloadPlace("input", chain_id, job_type.name))
        except UndecodablePayload:
            # A codec may bind a payload to the name under which it was stored.
            for name in job_type.aliases:
                with suppress(UndecodablePayload):
                    return self._decode_input(text, job_type, PayloadPlace("input", chain_id, name))
            raise

    def _decode_input(self, text: str, job_type: JobType[Any, Any], place: PayloadPlace) -> Any:
        return self.payloads.decode(text, payload=job_type.signature.input, place=place)

    def encode_output(self, value: object, job_type: JobType[Any, Any], *, chain_id: str, argument: str) -> str:
        """Return the stored form of a chain's output; ``InvalidArgument`` names ``argument``."""
        place = PayloadPlace("output", chain_id)
        return self.payloads.encode(value, payload=job_type.signature.output, place=place, argument=argument)

    def decode_output(self, text: str, job_type: JobType[Any, Any], *, chain_id: str) -> Any:
        """Return the output of a chain from its stored form; raise ``UndecodablePayload`` if it does not fit."""
        place = PayloadPlace("output", chain_id)
        return self.payloads.decode(text, payload=job_type.signature.output, place=place)

    def join(self, tx: object | None) -> Transaction | None:
        """Return the caller's transaction as the state adapter sees it; None if there is none."""
        return None if tx is None else self.state.join(tx)

    @asynccontextmanager
    async def transaction(self, kind: type | None = None) -> AsyncGenerator[Transaction]:
        """Yield a transaction of the state adapter; its begin and end are hidden from traces, its inside is not."""
        # Not `async with`: only BEGIN and COMMIT are otelq's own statements, the block is the application's.
        manager = self.state.begin(kind)
        with self.telemetry.silence():
            transaction = await manager.__aenter__()
        try:
            with self.effects.callback_scope(transaction) as scope:
                yield transaction
        except BaseException:
            with self.telemetry.silence():
                await manager.__aexit__(*sys.exc_info())
            raise
        with self.telemetry.silence():
            await manager.__aexit__(None, None, None)
        self.effects.run_after_commit(scope)
