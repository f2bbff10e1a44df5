"""Threads for handlers that are plain functions: daemon threads, at most as many as the worker has slots."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any


class ThreadTask:
    """One call in a thread. ``thread`` is the ident of that thread, None before and after the call."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.thread: int | None = None
        self.done = asyncio.Event()
        self._work = work
        self._context = contextvars.copy_context()
        self._loop = asyncio.get_running_loop()
        self._value: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Call the function in the current thread, with the contextvars of the task that submitted it."""
        self.thread = threading.get_ident()
        try:
            self._value = self._context.run(self._work)
        except BaseException as error:  # raised again by `result`; the thread goes on
            self._error = error
        self.thread = None
        with suppress(RuntimeError):  # the event loop is closed: nothing waits for this call any more
            self._loop.call_soon_threadsafe(self.done.set)

    def result(self) -> Any:
        """Return the result of the call, or raise its exception."""
        error, self._error = self._error, None
        if error is not None:
            raise error
        return self._value


class ThreadPool:
    """
    A pool that starts a thread if none is idle.

    The threads are daemons: a handler that never returns does not keep the process alive. An abandoned handler keeps
    its slot, so that the worker's slots bound the number of threads.
    """

    def __init__(self) -> None:
        self._tasks: SimpleQueue[ThreadTask | None] = SimpleQueue()
        self._idle = 0
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()

    def submit(self, work: Callable[[], Any]) -> ThreadTask:
        """Call ``work`` in a thread."""
        thread_task = ThreadTask(work)
        with self._lock:
            # Counted here, not by the thread that takes the task: two submissions must not both count on one idle
            # thread.
            if self._idle > 0:
                self._idle -= 1
            else:
                self._start_thread()
        self._tasks.put(thread_task)
        return thread_task

    def stop(self) -> None:
        """End every thread once it is idle."""
        for _ in tuple(self._threads):
            self._tasks.put(None)

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._run_thread, name=f"otelq handler {len(self._threads) + 1}", daemon=True)
        self._threads.add(thread)
        thread.start()

    def _run_thread(self) -> None:
        while (thread_task := self._tasks.get()) is not None:
            thread_task.run()
            del thread_task  # or its value would live on until the next one
            with self._lock:
                self._idle += 1
        self._threads.discard(threading.current_thread())
