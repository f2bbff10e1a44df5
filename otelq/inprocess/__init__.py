"""Hints within one process, for clients without another notifier."""

from __future__ import annotations

from ..errors import InvalidArgument
from ..ports.notify import NotifyAdapter
from .notify import InProcessNotify

__all__ = ["notifier"]


def notifier(target: object = None, *, schema: str = "otelq", **options: object) -> NotifyAdapter:
    """
    Return a notifier that passes hints to its own subscribers; two notifiers share nothing.

    Raises:
        InvalidArgument: there are options; this notifier has none.
    """
    for name in options:
        raise InvalidArgument(name, "is no option of the notifier within one process; leave it out")
    return InProcessNotify()
