"""Chains of every kind, as clients and workers leave them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any, Final

from opentelemetry.sdk.trace import TracerProvider

import otelq
from otelq.model import (
    Blocks,
    Claimed,
    ClaimRequest,
    Completes,
    Continues,
    Dedup,
    Fails,
    Failure,
    OnFailure,
    Outcome,
    ReapRule,
    Releases,
    Retries,
    Settlement,
    Snoozes,
    Successor,
    WorkerBeat,
)

from .application import CLOSED, LEDGER, NEXT, OPEN, write_row

WORKER: Final = "a worker of then"
TEXT: Final = "ключ 👩\u200d🚀 e\u0301 שלום \u2028 \\ \" ' ; -- {schema} $1 %s"
"""Text that a dump, a driver or a statement could get wrong."""

IDS: Final = {kind: f"019ac0de-{n:04x}-7000-8000-{n:012x}" for n, kind in enumerate((*OPEN, *CLOSED), 1)}
"""The ids of the chains, by their kinds."""


async def live_through(url: str) -> None:
    """Fill an empty database."""
    tracers = TracerProvider()
    async with otelq.connect(url, tracer_provider=tracers) as client:
        async with client.transaction() as tx:
            await tx.execute(LEDGER)
        with tracers.get_tracer("then").start_as_current_span("a request"):
            history = History(client)
            await history.close_chains()
            await history.open_chains()
            await history.wait_for_chains()
            await history.register()
    tracers.shutdown()


class History:
    """Does to chains what clients and workers do."""

    def __init__(self, client: otelq.Client) -> None:
        self.client = client
        self.state = client.engine.state
        self.tokens = count(2**62)

    async def close_chains(self) -> None:
        """Leave chains that closed in every way."""
        await self.start("expired", expires=0.001)
        while not await self.state.expire():
            pass
        await self.start("completed")
        await self.run("completed", Completes('{"sum": 1.50, "of": [null, true, "ü\\u0041"]}'))
        await self.start("completed_late")
        await self.run("completed_late", *self.failures(2), Completes("[]"))
        await self.start("completed_elsewhere")
        await self.run("completed_elsewhere", Continues(Successor(type=NEXT, input='"half"', priority=-3)))
        await self.run(NEXT, *self.failures(1), Continues(Successor(type=NEXT, input='"done"')))
        await self.run(NEXT, Completes('"done"'))
        await self.start("completed_by_client")
        await self.client.complete(self.chain("completed_by_client"), TEXT, step=job_type("completed_by_client"))
        await self.start("key_lasts", dedup=Dedup(TEXT, scope="any"))
        await self.run("key_lasts", Completes("null"))
        await self.start("failed")
        await self.run("failed", *self.failures(1), Fails(self.failure))
        await self.start("failed_by_blocker", blockers=[self.chain("failed")])
        await self.start("cancelled", delay=3600)
        await self.start("cancelled_running")
        await self.claim("cancelled_running")
        await self.client.cancel(self.chain("cancelled"), self.chain("cancelled_running"))
        await self.start("taken_over")
        await self.claim("taken_over")
        await self.client.take_over(self.chain("taken_over"))
        await self.run("taken_over", Completes("7"))

    async def open_chains(self) -> None:
        """Leave chains that a worker can run, or runs, or may run later."""
        meta: Mapping[str, Any] = {"tags": {"shop": "north", "odd": "ключ 👩\u200d🚀 '"}, "headers": {"x-id": '"\\"'}}
        await self.start("ready", **meta, tenant="Ærø", request_id="request 1")
        await self.start("ready_last", priority=100)
        await self.start("unicode", input={TEXT: [TEXT, "a\nb\tc", 2**53 + 1, -0.5, 1e-300]}, tags={"shop": "south"})
        await self.start("scheduled", delay=3600, priority=-100)
        await self.start("running")
        await self.claim("running", timeout=7200)
        await self.start("running_lost")
        await self.claim("running_lost")
        await self.start("suspect")
        for _ in range(2):
            await self.claim("suspect", lease=0.001)
            while not await self.state.reap([ReapRule(type="suspect", max_attempts=None, max_crashes=5)]):
                pass
        await self.start("retried")
        await self.run("retried", *self.failures(3))
        await self.start("snoozed")
        await self.run("snoozed", *self.failures(1), Snoozes(0), Snoozes(3600))
        await self.start("released")
        await self.run("released", Releases())
        await self.start("continued", tenant="Ærø")
        await self.run("continued", Continues(Successor(type=NEXT, input='{"half": 1}')))
        await self.start("key_held", dedup=Dedup("key"))
        await self.start("amended", delay=3600)
        await self.client.amend(self.chain("amended"), step=job_type("amended"), input=[TEXT], priority=5)
        await self.start("amended_by_time")
        await self.client.amend(self.chain("amended_by_time"), delay=3600)
        await self.start("expired_unseen", expires=3600)
        await self.start("expires_later", expires=3600)
        for kind, times in {"redriven": 1, "redriven_twice": 2}.items():
            await self.start(kind)
            for _ in range(times):
                await self.run(kind, *self.failures(1), Fails(self.failure))
                await self.client.redrive(self.chain(kind))

    async def wait_for_chains(self) -> None:
        """Leave chains that wait for those above."""
        ready, scheduled, failed = (self.chain(kind) for kind in ("ready", "scheduled", "failed"))
        await self.start("blocked_by_all", blockers=[ready, scheduled])
        await self.start("blocked_by_any", blockers=otelq.AnyOf([scheduled, self.chain("ready_last")]))
        await self.start("blocked_ignores_failure", blockers=otelq.AllOf([failed, ready], on_failure="ignore"))
        await self.start("blocked_waits_on", blockers=otelq.AllOf([failed], on_failure="wait"))
        await self.start("blocked_by_handler")
        wait = Blocks((ready.id, failed.id), on_failure=OnFailure.IGNORE)
        await self.run("blocked_by_handler", *self.failures(1), wait)
        await self.start("continued_blocked")
        waiting = Successor(type=NEXT, input="[1]", blockers=(scheduled.id, IDS["completed"]))
        await self.run("continued_blocked", Continues(waiting))
        await self.start("released_blocker")
        await self.start("pending", blockers=[self.chain("released_blocker")])
        await self.run("released_blocker", Completes('"closed"'))

    async def register(self) -> None:
        """Leave a worker that nobody removed, and its leadership."""
        await self.state.beat([WorkerBeat(id="then", name=WORKER, host="a host", pid=1, version="0", slots=10)])
        await self.state.lead("a task", holder="then", seconds=3600)

    def chain(self, kind: str) -> otelq.Chain[Any]:
        return otelq.Chain(IDS[kind], job_type(kind))

    async def start(self, kind: str, input: object = None, **options: Any) -> None:
        await self.client.start(job_type(kind), {"kind": kind} if input is None else input, id=IDS[kind], **options)

    async def claim(self, type: str, *, lease: float = 3600, timeout: float | None = None) -> Claimed:
        request = ClaimRequest(type=type, limit=1, lease=lease, timeout=timeout)
        (claimed,), _ = await self.state.claim([request], worker=WORKER, token=next(self.tokens))
        return claimed

    async def run(self, type: str, *outcomes: Outcome) -> None:
        """Make an attempt for each outcome, with the row that a handler writes in its completion transaction."""
        for outcome in outcomes:
            job = await self.claim(type)
            settlement = Settlement(job, outcome, WORKER, trace=job.trace)
            async with self.client.transaction() as tx:
                if isinstance(outcome, Completes | Continues):
                    await write_row(tx, job.lease.chain_id, job.lease.position, job.lease.token)
                await self.state.settle([settlement], tx=self.state.join(tx))

    failure: Final = Failure("builtins.ValueError", f"{TEXT}\nTraceback (most recent call last):\n  …")

    def failures(self, number: int) -> list[Outcome]:
        return [Retries(0, self.failure)] * number


def job_type(kind: str) -> otelq.JobType[Any, Any]:
    return otelq.JobType[Any, Any](kind)
