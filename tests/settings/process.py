"""The settings of a whole process or of its event loop, by their names in the table."""

from __future__ import annotations

import asyncio
import contextvars
import decimal
import gc
import json
import locale
import logging
import multiprocessing
import os
import random
import signal
import socket
import sys
import threading
import time
import tracemalloc
import warnings
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NoReturn

Facts = Callable[[], object]
"""What must be the same afterwards."""
Setting = Callable[[], AbstractContextManager[Facts]]

CALLS: Final = list[str]()
"""Callbacks of the application that were called though nothing had gone wrong."""


def _call(*arguments: Any, **options: Any) -> None:
    CALLS.append(repr(arguments))


def _refuse(*arguments: Any, **options: Any) -> NoReturn:
    raise ZeroDivisionError


def _switch(get: Callable[[], Any], set: Callable[[Any], Any], value: Any) -> Setting:
    """Set a value, and the old one again."""

    @contextmanager
    def setting() -> Generator[Facts]:
        before = get()
        set(value)
        try:
            yield get
        finally:
            set(before)

    return setting


def _attribute(owner: Any, name: str, value: Any) -> Setting:
    return _switch(lambda: getattr(owner, name), lambda new: setattr(owner, name, new), value)


def _variables(**values: str) -> Setting:
    @contextmanager
    def setting() -> Generator[Facts]:
        before = {name: os.environ.get(name) for name in values}
        os.environ.update(values)
        time.tzset()
        try:
            yield lambda: (dict(os.environ), time.tzname)
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
            time.tzset()

    return setting


# The event loop


class OwnExecutor(ThreadPoolExecutor):
    """An executor of the application."""


def _executor(make: Callable[[], ThreadPoolExecutor], *, jobs: int = 0, is_shut: bool = False) -> Setting:
    @contextmanager
    def setting() -> Generator[Facts]:
        loop: Any = asyncio.get_running_loop()
        executor, release = make(), threading.Event()
        loop.set_default_executor(executor)
        for _ in range(jobs):
            executor.submit(release.wait, 60)
        if is_shut:
            executor.shutdown()
        try:
            yield lambda: (loop._default_executor is executor, len(executor._threads), executor._work_queue.qsize())
        finally:
            release.set()
            loop._default_executor = None
            executor.shutdown()

    return setting


def _plain(loop: asyncio.AbstractEventLoop, work: Any) -> asyncio.Task[Any]:
    """As factories were written before tasks had contexts."""
    return asyncio.Task(work, loop=loop)


def _forgetful(loop: asyncio.AbstractEventLoop, work: Any, **_: Any) -> asyncio.Task[Any]:
    return asyncio.Task(work, loop=loop)


def _wrapping(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
    async def wrapped() -> Any:
        return await work

    return asyncio.Task(wrapped(), loop=loop, **options)


def _factory(factory: Any) -> Setting:
    @contextmanager
    def setting() -> Generator[Facts]:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(factory)
        try:
            yield loop.get_task_factory
        finally:
            loop.set_task_factory(None)

    return setting


@contextmanager
def _debug() -> Generator[Facts]:
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 5
    try:
        yield lambda: (loop.get_debug(), loop.slow_callback_duration)
    finally:
        loop.set_debug(False)


@contextmanager
def _exception_handler() -> Generator[Facts]:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_call)
    try:
        yield lambda: (loop.get_exception_handler(), list(CALLS))
    finally:
        loop.set_exception_handler(None)


# Signals


def _signals(handler: Any, *numbers: int) -> Setting:
    @contextmanager
    def setting() -> Generator[Facts]:
        before = {number: signal.signal(number, handler) for number in numbers}
        try:
            yield lambda: [signal.getsignal(number) for number in signal.valid_signals()]
        finally:
            for number, old in before.items():
                signal.signal(number, old)

    return setting


@contextmanager
def _loop_signal() -> Generator[Facts]:
    loop: Any = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, _call)
    try:
        yield lambda: (signal.getsignal(signal.SIGTERM), list(loop._signal_handlers))
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


# The interpreter


def _low_limit() -> Generator[Facts]:
    depth = len(__import__("inspect").stack())
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 150)
    try:
        yield sys.getrecursionlimit
    finally:
        sys.setrecursionlimit(before)


@contextmanager
def _decimals() -> Generator[Facts]:
    with decimal.localcontext() as context:
        context.prec, context.traps[decimal.Inexact] = 2, True
        yield lambda: repr(decimal.getcontext())


@contextmanager
def _warnings() -> Generator[Facts]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield lambda: list(warnings.filters)


@contextmanager
def _no_collector() -> Generator[Facts]:
    gc.disable()
    try:
        yield gc.isenabled
    finally:
        gc.enable()


@contextmanager
def _hooks() -> Generator[Facts]:
    places: Final = ((sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook"))
    before = [getattr(*place) for place in places]
    for owner, name in places:
        setattr(owner, name, _call)
    try:
        yield lambda: ([getattr(*place) for place in places], list(CALLS))
    finally:
        for (owner, name), hook in zip(places, before, strict=True):
            setattr(owner, name, hook)


@contextmanager
def _variable() -> Generator[Facts]:
    token = CALLER.set("the application's")
    try:
        yield CALLER.get
    finally:
        CALLER.reset(token)


CALLER: Final = contextvars.ContextVar("caller", default="nobody's")


@contextmanager
def _seeded() -> Generator[Facts]:
    before = random.getstate()
    random.seed(7)
    try:
        yield random.getstate
    finally:
        random.setstate(before)


@contextmanager
def _traced() -> Generator[Facts]:
    before = sys.getprofile()
    sys.setprofile(_ignore)
    threading.setprofile(_ignore)
    try:
        yield sys.getprofile
    finally:
        sys.setprofile(before)
        threading.setprofile(None)


def _ignore(*_: object) -> None:
    """A profiler that looks away."""


@contextmanager
def _memory_traced() -> Generator[Facts]:
    tracemalloc.start()
    try:
        yield tracemalloc.is_tracing
    finally:
        tracemalloc.stop()


@contextmanager
def _no_folder() -> Generator[Facts]:
    before = Path.cwd()
    with TemporaryDirectory() as gone:
        os.chdir(gone)
    try:
        yield lambda: os.path.exists("/proc/self/cwd")
    finally:
        os.chdir(before)


@contextmanager
def _umask() -> Generator[Facts]:
    before = os.umask(0)

    def now() -> int:
        mask = os.umask(0)
        os.umask(mask)
        return mask

    try:
        yield now
    finally:
        os.umask(before)


# Logging


class RaisingHandler(logging.Handler):
    """A handler of the application that is broken."""

    def emit(self, record: logging.LogRecord) -> None:
        raise ZeroDivisionError


def _handler(handler: logging.Handler, *, to: str | None = None, level: int = logging.DEBUG) -> Setting:
    @contextmanager
    def setting() -> Generator[Facts]:
        logger = logging.getLogger(to)
        before = logger.level
        logger.addHandler(handler)
        logger.setLevel(level)
        try:
            yield lambda: (list(logger.handlers), logger.level, logging.raiseExceptions)
        finally:
            logger.removeHandler(handler)
            logger.setLevel(before)

    return setting


class OwnLogger(logging.Logger):
    """A logger class of the application."""


OTELQ: Final = logging.getLogger("otelq")
_STOPS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

PROCESS: Final[dict[str, Setting]] = {
    "default executor, full": _executor(lambda: ThreadPoolExecutor(1), jobs=3),
    "default executor, shut down": _executor(lambda: ThreadPoolExecutor(1), is_shut=True),
    "default executor of one thread": _executor(lambda: ThreadPoolExecutor(1)),
    "default executor of its own class": _executor(lambda: OwnExecutor(2)),
    "task factory without context": _factory(_plain),
    "task factory that drops options": _factory(_forgetful),
    "task factory that wraps": _factory(_wrapping),
    "eager_task_factory": _factory(getattr(asyncio, "eager_task_factory", None)),
    "debug mode": _debug,
    "exception handler of the loop": _exception_handler,
    "signal handlers": _signals(_call, *_STOPS),
    "signal handlers, run()": _signals(_call, *_STOPS),
    "signals ignored, run()": _signals(signal.SIG_IGN, *_STOPS),
    "signal handler of the loop": _loop_signal,
    "signal handler of the loop, run()": _loop_signal,
    "SIGCHLD ignored": _signals(signal.SIG_IGN, signal.SIGCHLD),
    "SIGCHLD ignored, processes": _signals(signal.SIG_IGN, signal.SIGCHLD),
    "context variable": _variable,
    "setrecursionlimit, low": contextmanager(_low_limit),
    "setrecursionlimit, high": _switch(sys.getrecursionlimit, sys.setrecursionlimit, 100_000),
    "setswitchinterval": _switch(sys.getswitchinterval, sys.setswitchinterval, 1e-5),
    "set_int_max_str_digits": _switch(sys.get_int_max_str_digits, sys.set_int_max_str_digits, 640),
    "locale": _switch(
        lambda: locale.setlocale(locale.LC_ALL), lambda new: locale.setlocale(locale.LC_ALL, new), "C.UTF-8"
    ),
    "TZ": _variables(TZ="Pacific/Apia"),
    "PGTZ, PGDATESTYLE": _variables(PGTZ="Pacific/Apia", PGDATESTYLE="SQL, DMY"),
    "PGDATABASE, PGAPPNAME": _variables(PGDATABASE="nowhere", PGAPPNAME="application"),
    "PYTHONHASHSEED, processes": _variables(PYTHONHASHSEED="1"),
    "PYTHONWARNINGS=error, processes": _variables(PYTHONWARNINGS="error"),
    "start method fork, processes": _switch(
        lambda: multiprocessing.get_start_method(allow_none=True),
        lambda new: multiprocessing.set_start_method(new, force=True),
        "fork",
    ),
    "decimal context": _decimals,
    "warnings as errors": _warnings,
    "gc.disable": _no_collector,
    "gc.set_threshold(1)": _switch(gc.get_threshold, lambda new: gc.set_threshold(*new), (10, 1, 1)),
    "hooks for exceptions": _hooks,
    "random.seed": _seeded,
    "setprofile": _traced,
    "tracemalloc": _memory_traced,
    "working directory that is gone": _no_folder,
    "umask": _umask,
    "stdout and stderr are None": _attribute(sys, "stdout", None),
    "setdefaulttimeout": _switch(socket.getdefaulttimeout, socket.setdefaulttimeout, 30),
    "json.dumps replaced": _attribute(json, "dumps", _refuse),
    "json.JSONEncoder.default replaced": _attribute(json.JSONEncoder, "default", _refuse),
    "logging handler that raises": _handler(RaisingHandler(), level=logging.WARNING),
    "logging handler of otelq that raises": _handler(RaisingHandler(), to="otelq"),
    "logger class": _switch(logging.getLoggerClass, logging.setLoggerClass, OwnLogger),
    "log record factory that raises": _switch(logging.getLogRecordFactory, logging.setLogRecordFactory, _refuse),
    "logging.disable": _switch(lambda: logging.root.manager.disable, logging.disable, logging.CRITICAL),
    "logger disabled": _attribute(OTELQ, "disabled", True),
    "logger that does not propagate": _attribute(OTELQ, "propagate", False),
}


def is_known(setting: str) -> bool:
    """Whether this Python has it: eager tasks came with 3.12."""
    return setting != "eager_task_factory" or sys.version_info >= (3, 12)
