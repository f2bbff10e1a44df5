"""
A wall clock that is wrong, in a process that has nothing else wrong with it.

``python .../clock.py SECONDS[@AFTER] MODULE ARGUMENTS`` runs a module as ``python -m`` does, in a process whose clock
is ahead by SECONDS (behind, if that is negative), or jumps by them AFTER so many seconds. The file is run by its path,
so that the clock is wrong before anything of otelq is imported; for the same reason it imports nothing of it.
"""

from __future__ import annotations

import ctypes
import datetime
import gc
import os
import runpy
import sys
import time
from collections.abc import Callable
from typing import Any, Final

_VARIABLE: Final = "OTELQ_TORTURE_CLOCK"


def relaunch(spec: str) -> None:
    """
    Run this process again, with the same arguments and process id, with a wrong clock; return if it is wrong already.

    For the main module of a process that was started with ``python -m``.
    """
    if os.environ.get(_VARIABLE) == spec:
        return
    main = sys.modules["__main__"].__spec__
    assert main is not None, "it was not started with -m"
    environment = os.environ | {_VARIABLE: spec}
    os.execve(sys.executable, [sys.executable, __file__, spec, main.name, *sys.argv[1:]], environment)


def skew(spec: str) -> None:
    """
    Make ``time.time``, ``time.time_ns`` and ``datetime``'s idea of now wrong, in this process and for good.

    The monotonic clock stays right, as it does on a machine whose wall clock is set.
    """
    seconds, _, after = spec.partition("@")
    ahead = int(float(seconds) * 1e9)
    right, jump = time.time_ns, time.monotonic() + float(after or 0)

    def time_ns() -> int:
        return right() + (ahead if time.monotonic() >= jump else 0)

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9
    _replace_now(lambda: time_ns() / 1e9)


def _replace_now(seconds: Callable[[], float]) -> None:
    """Patch ``datetime`` itself: a subclass would not pass for it where code compares the type."""

    def now(cls: Any, tz: datetime.tzinfo | None = None) -> Any:
        return cls.fromtimestamp(seconds(), tz)

    def utcnow(cls: Any) -> Any:
        return cls.fromtimestamp(seconds(), datetime.UTC).replace(tzinfo=None)

    members: Any = gc.get_referents(datetime.datetime.__dict__)[0]
    members.update(now=classmethod(now), today=classmethod(lambda cls: now(cls)), utcnow=classmethod(utcnow))
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(datetime.datetime))


if __name__ == "__main__":
    sys.path[0] = os.getcwd()  # as for -m, instead of the folder of this file
    _, spec, module, *arguments = sys.argv
    skew(spec)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
