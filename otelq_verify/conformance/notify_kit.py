"""
The kit of a notify adapter's case, and the runner of such cases; the cases themselves are in ``notify_cases``.

Hints may be lost, doubled or late, so the kit publishes a hint again and again, and calls it delivered if it arrives
within ``PATIENCE``. A hint that must not arrive is waited for only as long as other hints take: one that comes later
goes unnoticed, and no adapter is blamed for what it did not do.

An adapter whose ``is_shared`` says that its hints reach others is given a second one of the same server, and every case
listens there too. Subjects are unique to the case: other users of the server do not disturb it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import AsyncExitStack, contextmanager
from uuid import uuid4

from otelq.ports.notify import Hint, HintKind, NotifyAdapter

from .cases import CASE_TIMEOUT, Case, Report, Result
from .kit import true

NotifyFactory = Callable[[], NotifyAdapter]
"""Makes an unopened adapter; where hints are shared, all of its adapters use one server."""
PATIENCE = 5.0
"""Seconds within which a hint must arrive that is published again and again."""
AGAIN = 0.1
"""Seconds after which a hint that did not arrive is published again."""
QUIET = 0.03
"""Seconds for what must not arrive to arrive after all."""


class Receiver:
    """A receiver that counts the hints that it is called with, and then does what else a case demands."""

    def __init__(self, called: asyncio.Event, also: Callable[[Hint], None]) -> None:
        self.received: Counter[Hint] = Counter()
        """The number of calls with each hint."""
        self.threads: set[int] = set()
        """From which threads it was called."""
        self.unsubscribe: Callable[[], None] = _nothing
        self._called = called
        self._also = also

    def __call__(self, hint: Hint) -> None:
        self.received[Hint(hint.kind, hint.subject, hint.delay)] += 1  # the origin is the notifier's own
        self.threads.add(threading.get_ident())
        self._called.set()
        self._also(hint)


class NotifyKit:
    """The kit of a case: an open adapter, a second one of the same server if hints are shared, and receivers."""

    def __init__(self, factory: NotifyFactory, opened: AsyncExitStack, *, log: Sequence[BaseException | None]) -> None:
        self.make = factory
        self.log = log
        """The errors that were logged, None for what was logged without one."""
        self.near = factory()
        self.far = factory() if self.near.is_shared else self.near
        """The other adapter of the server; the same one where hints reach no other."""
        self._opened = opened
        self._called = asyncio.Event()

    async def open(self, *adapters: NotifyAdapter) -> None:
        """Open adapters, and close them when the case is over."""
        for adapter in adapters:
            await adapter.open()
            self._opened.push_async_callback(adapter.close)

    def everywhere(self) -> list[NotifyAdapter]:
        """Return the adapters where hints arrive."""
        return list(dict.fromkeys((self.near, self.far)))

    def hint(self, kind: HintKind = HintKind.DUE, subject: str = "", delay: float = 0.0) -> Hint:
        """Return a new hint with a subject of its own."""
        return Hint(kind, f"{subject}{uuid4()}", delay)

    def listen(self, at: NotifyAdapter | None = None, *, also: Callable[[Hint], None] | None = None) -> Receiver:
        """Subscribe a receiver, to the near adapter if none is named."""
        receiver = Receiver(self._called, also or _ignore)
        receiver.unsubscribe = (at or self.near).subscribe(receiver)
        return receiver

    async def arrive(self, hints: Sequence[Hint], *receivers: Receiver, by: NotifyAdapter | None = None) -> None:
        """
        Publish hints, as one batch, until every receiver has got each.

        Raises:
            Broken: that took longer than ``PATIENCE``.
        """
        awaited = [Hint(HintKind.AWAITED, hint.subject) for hint in hints if hint.kind is HintKind.CLOSED]
        end = time.monotonic() + PATIENCE
        while missing := [hint for receiver in receivers for hint in hints if hint not in receiver.received]:
            true(time.monotonic() < end, f"not delivered in {PATIENCE:g} seconds, {len(missing)} times: {missing[0]}")
            for adapter in self.everywhere():
                adapter.publish(awaited)
            (by or self.near).publish(hints)
            await self._a_while(hints, receivers)

    async def _a_while(self, hints: Sequence[Hint], receivers: Sequence[Receiver]) -> None:
        end = time.monotonic() + AGAIN
        while any(hint not in receiver.received for receiver in receivers for hint in hints) and time.monotonic() < end:
            # Receivers may be called in between only while this task waits, so no call is missed after the check above.
            self._called.clear()
            try:
                async with asyncio.timeout(max(0.001, end - time.monotonic())):
                    await self._called.wait()
            except TimeoutError:
                return

    async def settle(self, *at: NotifyAdapter) -> None:
        """Let a later hint arrive at each adapter, or everywhere, so that those before it had their time."""
        receivers = [self.listen(one) for one in at or self.everywhere()]
        await self.arrive([self.hint()], *receivers, by=at[0] if at else None)
        await asyncio.sleep(QUIET)
        for receiver in receivers:
            receiver.unsubscribe()


class _Log(logging.Handler):
    """Keeps the errors that are logged, so that those made on purpose do not go to the screen."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[BaseException | None] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.errors.append(record.exc_info[1] if record.exc_info else None)


@contextmanager
def _capture(log: _Log) -> Generator[None]:
    root = logging.getLogger()
    root.addHandler(log)
    try:
        yield
    finally:
        root.removeHandler(log)


NotifyCase = Case[NotifyKit]


async def run_notify_case(factory: NotifyFactory, case: NotifyCase) -> Result:
    """Run one case with adapters of its own."""
    log = _Log()
    try:
        async with AsyncExitStack() as opened:
            opened.enter_context(_capture(log))
            kit = NotifyKit(factory, opened, log=log.errors)
            await kit.open(*kit.everywhere())
            async with asyncio.timeout(CASE_TIMEOUT):
                await case.check(kit)
    except Exception as error:
        return Result(case, error)
    return Result(case, None)


async def run_notify_cases(factory: NotifyFactory, cases: Sequence[NotifyCase]) -> Report:
    """Run cases one after the other."""
    results = [await run_notify_case(factory, case) for case in cases]
    return Report(f"{factory().name} notifier", results)


def _nothing() -> None:
    pass


def _ignore(_: Hint) -> None:
    pass
