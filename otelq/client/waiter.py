"""The loop that waits for chains to end: hints make it quick, a shared poll makes it certain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import NotFound, OtelqError
from ..loop import Loop
from ..model import ENDED, ChainOutcome
from ..ports.notify import Hint, HintKind
from .engine import Engine

FIRST_LOOK = 0.02
LONGEST_PAUSE = 1.0
LARGEST_LOOK = 5_000
"""How many chains one query asks about."""


@dataclass(eq=False, slots=True)
class _AwaitedChain:
    """A chain that is waited for."""

    due: float
    pause: float = FIRST_LOOK
    futures: set[asyncio.Future[ChainOutcome]] = field(default_factory=set[asyncio.Future[ChainOutcome]])


class Waiter(Loop):
    """Waits for all chains that are awaited through one client, and asks for them in one query."""

    def __init__(self, engine: Engine) -> None:
        super().__init__("waiter", on_fatal=self._give_up)
        self._engine = engine
        self._watches: dict[str, _AwaitedChain] = {}
        self._unsubscribe: Callable[[], None] | None = None

    async def wait(self, chain_id: str, *, timeout: float | None) -> ChainOutcome:
        """
        Return how the chain ended, once it has; with a ``timeout`` of 0 seconds, if it has.

        Raises:
            NotFound: the chain does not exist, or was deleted meanwhile.
            TimeoutError: it is still open.
        """
        if timeout == 0:
            return await self._ask(chain_id)
        try:
            async with asyncio.timeout(timeout):
                return await self._wait_for(chain_id)
        except TimeoutError:
            raise _still_open(chain_id, timeout or 0.0) from None

    async def _ask(self, chain_id: str) -> ChainOutcome:
        outcome = (await self._outcomes([chain_id])).get(chain_id)
        if outcome is None:
            raise NotFound(f"chain {chain_id} does not exist")
        if outcome.status not in ENDED:
            raise _still_open(chain_id, 0.0)
        return outcome

    async def _wait_for(self, chain_id: str) -> ChainOutcome:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[ChainOutcome] = loop.create_future()
        watch = self._watches.setdefault(chain_id, _AwaitedChain(due=loop.time()))
        watch.futures.add(future)
        watch.due = loop.time()
        self._begin()
        try:
            return await future
        finally:
            watch.futures.discard(future)
            if not watch.futures and self._watches.get(chain_id) is watch:
                del self._watches[chain_id]

    async def close(self) -> None:
        """Stop looking; calls that still wait raise."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        await self.stop()
        self._give_up(OtelqError("the client was closed while a result was awaited"))

    async def tick(self) -> float:
        """Ask about the chains that are due for a look."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        due = [chain_id for chain_id, watch in self._watches.items() if watch.due <= now][:LARGEST_LOOK]
        for chain_id in due:  # a hint that comes while the question is under way overrules this
            watch = self._watches[chain_id]
            watch.due, watch.pause = now + watch.pause, min(watch.pause * 2, LONGEST_PAUSE)
        if due:
            outcomes = await self._outcomes(due)
            for chain_id in due:
                self._look(chain_id, outcomes.get(chain_id))
        if not self._watches:
            return LONGEST_PAUSE * 60
        return max(0.0, min(watch.due for watch in self._watches.values()) - loop.time())

    async def _outcomes(self, chain_ids: Sequence[str]) -> Mapping[str, ChainOutcome]:
        try:
            with self._engine.telemetry.silence():
                return await self._engine.state.outcomes(chain_ids)
        except Exception:
            for chain_id in chain_ids:  # not answered, so still to be asked
                if (watch := self._watches.get(chain_id)) is not None:
                    watch.due = 0.0
            raise

    def _begin(self) -> None:
        if self._unsubscribe is None:
            self._unsubscribe = self._engine.notify.subscribe(self._hinted)
        self.start()
        self.wake()

    def _hinted(self, hint: Hint) -> None:
        if hint.kind is HintKind.CHANGED and self._watches:
            for each in self._watches.values():
                each.due = 0.0
            self.wake()
        if hint.kind is HintKind.CLOSED and (watch := self._watches.get(hint.subject)) is not None:
            watch.due = 0.0
            self.wake()

    def _look(self, chain_id: str, outcome: ChainOutcome | None) -> None:
        watch = self._watches.get(chain_id)
        if watch is None or (outcome is not None and outcome.status not in ENDED):
            return
        del self._watches[chain_id]
        for future in watch.futures:
            if future.done():
                continue
            if outcome is None:
                future.set_exception(NotFound(f"chain {chain_id} does not exist"))
            else:
                future.set_result(outcome)

    def _give_up(self, error: Exception) -> None:
        watches, self._watches = self._watches, {}
        for watch in watches.values():
            for future in watch.futures:
                if not future.done():
                    future.set_exception(error)


def _still_open(chain_id: str, seconds: float) -> TimeoutError:
    return TimeoutError(f"chain {chain_id} is still open after {seconds:g} seconds; is there a worker for its job?")
