"""Errors that the application's own code raises, in one line with the file and the line that raised them."""

from __future__ import annotations

import os
import sysconfig
import traceback

_LIBRARIES = tuple(
    os.path.realpath(path) + os.sep for path in {sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}
)
_OTELQ = os.path.dirname(os.path.dirname(os.path.realpath(__file__))) + os.sep


def described(error: BaseException) -> str:
    """Return the class, the message and the place of an error: the innermost line that belongs to no library."""
    kind = type(error).__qualname__
    if isinstance(error, SyntaxError):
        return f"{kind}: {error.msg} ({error.filename}, line {error.lineno})"
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return f"{kind}: {error}"
    # A missing environment variable is raised in the standard library; the line that asked for it says more.
    frame = next((frame for frame in reversed(frames) if _is_of_application(frame.filename)), frames[-1])
    return f"{kind}: {error} ({frame.filename}, line {frame.lineno})"


def _is_of_application(file: str) -> bool:
    path = os.path.realpath(file)
    return os.path.exists(path) and not path.startswith((*_LIBRARIES, _OTELQ))
