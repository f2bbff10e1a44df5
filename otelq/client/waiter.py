"""The loop that waits for chains to end: hints make it quick, and a shared poll makes it certain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import NotFound, OtelqError
from ..loop import Loop
from ..model import ENDED, ChainOutcome
from ..ports.notify import Hint, HintKind
from .engine import Engine

FIRST_PAUSE = 0.02
LONGEST_PAUSE = 1.0
ANNOUNCED_EVERY = 30.0
"""Seconds between two announcements that a chain is awaited; the others remember one for a minute."""
LARGEST_QUERY = 5_000
"""The largest number of chains in one query."""


@dataclass(eq=False, slots=True)
class _AwaitedChain:
    """A chain with the calls that wait for it, and the loop time of the next query."""

    due: float
    announce_at: float = 0.0
    pause: float = FIRST_PAUSE
    futures: set[asyncio.Future[ChainOutcome]] = field(default_factory=set[asyncio.Future[ChainOutcome]])


class Waiter(Loop):
    """Waits for all chains that callers of one client await, with one query for all."""

    def __init__(self, engine: Engine) -> None:
        super().__init__("waiter", on_fatal=self._give_up)
        self._engine = engine
        self._awaited: dict[str, _AwaitedChain] = {}
        self._unsubscribe: Callable[[], None] | None = None

    async def wait(self, chain_id: str, *, timeout: float | None) -> ChainOutcome:
        """
        Return the outcome of the chain once it has ended; a ``timeout`` of 0 does not wait.

        Raises:
            NotFound: the chain does not exist, or was deleted meanwhile.
            TimeoutError: it is still open.
        """
        if timeout == 0:  # `asyncio.timeout(0)` would cancel the first query
            return await self._ask_once(chain_id)
        try:
            async with asyncio.timeout(timeout):
                return await self._wait_for(chain_id)
        except TimeoutError:
            raise _still_open(chain_id, timeout or 0.0) from None

    async def _ask_once(self, chain_id: str) -> ChainOutcome:
        outcome = (await self._outcomes([chain_id])).get(chain_id)
        if outcome is None:
            raise NotFound(f"chain {chain_id} does not exist")
        if outcome.status not in ENDED:
            raise _still_open(chain_id, 0.0)
        return outcome

    async def _wait_for(self, chain_id: str) -> ChainOutcome:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[ChainOutcome] = loop.create_future()
        awaited = self._awaited.setdefault(chain_id, _AwaitedChain(due=loop.time()))
        awaited.futures.add(future)
        awaited.due = loop.time()  # the chain may have ended before: no hint would come for that
        self._start_polling()
        try:
            return await future
        finally:
            awaited.futures.discard(future)
            # The entry may be another one by now: the chain ended, and somebody awaited it anew.
            if not awaited.futures and self._awaited.get(chain_id) is awaited:
                del self._awaited[chain_id]

    async def close(self) -> None:
        """Stop the loop; calls that still wait raise."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        await self.stop()
        self._give_up(OtelqError("the client was closed while a result was awaited"))

    async def tick(self) -> float:
        """Query the chains that are due."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        due = [chain_id for chain_id, awaited in self._awaited.items() if awaited.due <= now][:LARGEST_QUERY]
        for chain_id in due:  # before the query, so that a hint during it makes the chain due again
            awaited = self._awaited[chain_id]
            awaited.due, awaited.pause = now + awaited.pause, min(awaited.pause * 2, LONGEST_PAUSE)
        self._announce(now)
        if due:
            outcomes = await self._outcomes(due)
            for chain_id in due:
                self._resolve(chain_id, outcomes.get(chain_id))
        if not self._awaited:
            return LONGEST_PAUSE * 60  # until the next call wakes the loop
        return max(0.0, min(awaited.due for awaited in self._awaited.values()) - loop.time())

    def _announce(self, now: float) -> None:
        """Publish which chains are awaited: other processes send a hint when one of these ends, and for no others."""
        hints: list[Hint] = []
        for chain_id, awaited in self._awaited.items():
            if awaited.announce_at <= now:
                awaited.announce_at = now + ANNOUNCED_EVERY
                hints.append(Hint(HintKind.AWAITED, chain_id))
        if hints:
            self._engine.notify.publish(hints)

    async def _outcomes(self, chain_ids: Sequence[str]) -> Mapping[str, ChainOutcome]:
        try:
            with self._engine.telemetry.silence():
                return await self._engine.state.outcomes(chain_ids)
        except Exception:
            for chain_id in chain_ids:  # not answered: due again
                if (awaited := self._awaited.get(chain_id)) is not None:
                    awaited.due = 0.0
            raise

    def _start_polling(self) -> None:
        if self._unsubscribe is None:
            self._unsubscribe = self._engine.notify.subscribe(self._on_hint)
        self.start()
        self.wake()

    def _on_hint(self, hint: Hint) -> None:
        if hint.kind is HintKind.CHANGED and self._awaited:
            for each in self._awaited.values():
                each.due = 0.0
            self.wake()
        if hint.kind is HintKind.CLOSED and (awaited := self._awaited.get(hint.subject)) is not None:
            awaited.due = 0.0
            self.wake()

    def _resolve(self, chain_id: str, outcome: ChainOutcome | None) -> None:
        awaited = self._awaited.get(chain_id)
        if awaited is None or (outcome is not None and outcome.status not in ENDED):
            return
        del self._awaited[chain_id]
        for future in awaited.futures:
            if future.done():  # its caller was cancelled or timed out
                continue
            if outcome is None:
                future.set_exception(NotFound(f"chain {chain_id} does not exist"))
            else:
                future.set_result(outcome)

    def _give_up(self, error: Exception) -> None:
        all_awaited, self._awaited = self._awaited, {}
        for awaited in all_awaited.values():
            for future in awaited.futures:
                if not future.done():
                    future.set_exception(error)


def _still_open(chain_id: str, seconds: float) -> TimeoutError:
    return TimeoutError(f"chain {chain_id} is still open after {seconds:g} seconds; is there a worker for its job?")
