"""The signals that ask a process to end, for all workers of an event loop."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakKeyDictionary

STOP_SIGNALS = ("SIGINT", "SIGTERM")
HANGUP = "SIGHUP"
"""Sent when the terminal closes. An application that has its own handler for it keeps that handler."""

_listening: WeakKeyDictionary[asyncio.AbstractEventLoop, _SignalListener] = WeakKeyDictionary()
"""One listener for each event loop: a process has one handler for a signal, which its workers share."""


@contextmanager
def signals(stop: Callable[[], None]) -> Generator[None]:
    """
    Call ``stop`` when a signal asks the process to end, while the block runs; then restore the old handlers.

    A signal that the process ignores, as SIGHUP under ``nohup``, stays ignored. Handlers that were set with
    ``loop.add_signal_handler`` are called too. Outside the main thread, which alone gets signals, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        return (yield)
    loop = asyncio.get_running_loop()
    listener = _listening.setdefault(loop, _SignalListener(loop))
    listener.add(stop)
    try:
        yield
    finally:
        listener.remove(stop)


class _SignalListener:
    """The handlers that this module has set, and those that they replaced."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._call_soon = loop.call_soon_threadsafe
        self._stops: list[Callable[[], None]] = []
        self._replaced: dict[int, Any] = {}

    def add(self, stop: Callable[[], None]) -> None:
        self._stops.append(stop)
        if len(self._stops) == 1:
            self._listen()

    def remove(self, stop: Callable[[], None]) -> None:
        self._stops.remove(stop)
        if not self._stops:
            self._restore()

    def _listen(self) -> None:
        for number in _signals_to_handle():
            self._replaced[number] = signal.signal(number, self._on_signal)

    def _restore(self) -> None:
        """Restore the old handlers, except where the application set another one meanwhile."""
        replaced, self._replaced = self._replaced, {}
        for number, handler in replaced.items():
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: object) -> None:
        """Schedule the calls of ``stop`` in the event loop."""
        # A signal handler runs between any two instructions of the main thread, so it must do no more than this.
        with suppress(RuntimeError):  # the event loop is closed
            self._call_soon(self._call_stops)

    def _call_stops(self) -> None:
        for stop in tuple(self._stops):
            stop()


def _signals_to_handle() -> Generator[int]:
    """Yield the signals that this system has, the process does not ignore, and Python can restore."""
    for name in (*STOP_SIGNALS, HANGUP):
        number = getattr(signal, name, None)
        handler = None if number is None else signal.getsignal(number)
        if number is None or handler in (None, signal.SIG_IGN):
            continue
        if name != HANGUP or handler is signal.SIG_DFL:
            yield number
