"""SIGINT and SIGTERM, heard by every worker of an event loop that asks for them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

_heard_by: WeakKeyDictionary[asyncio.AbstractEventLoop, list[Callable[[], None]]] = WeakKeyDictionary()
"""An event loop has one handler for a signal, whoever set it; so those who wish to hear of it are kept here."""


@contextmanager
def signals(stop: Callable[[], None]) -> Generator[None]:
    """Call ``stop`` on SIGINT and SIGTERM for as long as the block lasts."""
    loop = asyncio.get_running_loop()
    listeners = _heard_by.setdefault(loop, [])
    if not listeners and not _listen(loop):
        return (yield)
    listeners.append(stop)
    try:
        yield
    finally:
        listeners.remove(stop)
        if not listeners:
            for number in STOP_SIGNALS:
                loop.remove_signal_handler(number)


def _listen(loop: asyncio.AbstractEventLoop) -> bool:
    for number in STOP_SIGNALS:
        try:
            loop.add_signal_handler(number, _tell, loop)
        except NotImplementedError:  # Windows has no signals in its event loop; Ctrl-C raises there
            return False
    return True


def _tell(loop: asyncio.AbstractEventLoop) -> None:
    for stop in tuple(_heard_by.get(loop, ())):
        stop()
