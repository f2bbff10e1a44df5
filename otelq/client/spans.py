"""The span of a start or a continuation, ended by what becomes of its statement."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from ..effects import TransitionSpan
from ..telemetry import Enqueue


@contextmanager
def failing(enqueue: Enqueue | None) -> Generator[None]:
    """End the span, if there is one, as failed if the block raises."""
    try:
        yield
    except BaseException as error:
        if enqueue is not None:
            enqueue.fail(error)
        raise


def ending(enqueue: Enqueue, *, held_by: str | None = None) -> TransitionSpan:
    """Return what ends the span once its commit is known, or drops it after a rollback."""

    def end(committed: bool) -> None:
        if committed:
            enqueue.end(held_by=held_by)
        else:
            enqueue.drop()

    return end
