"""
Work on an event loop that Ctrl-C may interrupt.

``KeyboardInterrupt`` comes at any instruction, also in the middle of a library that swallows it or leaves a task behind
that goes on when the loop runs again. So while ``at_steps`` is in force, Ctrl-C only cancels the work under way, and
is raised where that ends; a second one is raised at once, as always.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


class _Keyboard:
    """The state of Ctrl-C, and the work under way. There is one per process, as for signals."""

    def __init__(self) -> None:
        self.is_pressed = False
        self.task: asyncio.Task[Any] | None = None

    def press(self, number: int, frame: object) -> None:
        if self.is_pressed:
            # A second Ctrl-C: the step may be stuck, so it must end the program now.
            raise KeyboardInterrupt
        self.is_pressed = True
        if self.task is not None:
            # A signal handler runs between any two instructions of the loop. Only this call is safe there, and it
            # wakes a loop that waits for input.
            self.task.get_loop().call_soon_threadsafe(self.task.cancel)

    def release(self) -> None:
        """Raise the interrupt that was held back."""
        if self.is_pressed:
            self.is_pressed = False
            raise KeyboardInterrupt


_keyboard = _Keyboard()


@contextmanager
def at_steps() -> Generator[None]:
    """Let Ctrl-C wait for the step under way; in the main thread, the only one that it interrupts."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, _keyboard.press)
    try:
        yield
        _keyboard.release()
    finally:
        signal.signal(signal.SIGINT, before)
        _keyboard.is_pressed = False


def run_on(runner: asyncio.Runner, work: Coroutine[Any, Any, T]) -> T:
    """
    Run one step to its end, or until Ctrl-C cancels it.

    Ten times as quick as ``Runner.run``, which installs a signal handler each time.
    """
    loop = runner.get_loop()
    _keyboard.task = task = loop.create_task(work)
    try:
        return loop.run_until_complete(task)
    finally:
        # The task has ended, so that nothing of the step is left behind when the interrupt is raised.
        _keyboard.task = None
        _keyboard.release()
