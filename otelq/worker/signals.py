"""The signals that ask a process to end, heard by every worker of an event loop that asks for them."""

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
"""The terminal was closed. A program that has a use of its own for it keeps that."""

_listening: WeakKeyDictionary[asyncio.AbstractEventLoop, _SignalListener] = WeakKeyDictionary()
"""A process has one handler for a signal, so that all workers of an event loop share it."""


@contextmanager
def signals(stop: Callable[[], None]) -> Generator[None]:
    """
    Call ``stop`` when the process is asked to end, for as long as the block lasts; then put the old handlers back.

    A signal that the process ignores, as SIGHUP under ``nohup``, stays ignored. Handlers that were set with
    ``loop.add_signal_handler`` are called as well. Only the main thread hears signals: elsewhere nothing is changed.
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
    """The handlers that this module has set, and what they replaced."""

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
        """Undo what is still ours; what the application set meanwhile stays."""
        replaced, self._replaced = self._replaced, {}
        for number, handler in replaced.items():
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: object) -> None:
        """Wake the event loop, which may be anywhere: the handler of a signal must do no more."""
        with suppress(RuntimeError):  # the event loop was closed
            self._call_soon(self._call_stops)

    def _call_stops(self) -> None:
        for stop in tuple(self._stops):
            stop()


def _signals_to_handle() -> Generator[int]:
    """Yield the signals to hear: those that this system has, nobody ignores, and Python can put back."""
    for name in (*STOP_SIGNALS, HANGUP):
        number = getattr(signal, name, None)
        handler = None if number is None else signal.getsignal(number)
        if number is None or handler in (None, signal.SIG_IGN):
            continue
        if name != HANGUP or handler is signal.SIG_DFL:
            yield number
