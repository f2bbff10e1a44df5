"""The span of a start or a continuation, ended with the result of its statement."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from ..effects import OnCommitKnown
from ..telemetry import Enqueue


@contextmanager
def fail_on_error(enqueue: Enqueue | None) -> Generator[None]:
    """End the span as failed if the block raises."""
    try:
        yield
    except BaseException as error:
        if enqueue is not None:
            enqueue.fail(error)
        raise


def end_after_commit(enqueue: Enqueue, *, held_by: str | None = None) -> OnCommitKnown:
    """Return a function that ends the span after a commit, or drops it after a rollback."""

    def end(committed: bool) -> None:
        if committed:
            enqueue.end(held_by=held_by)
        else:
            enqueue.drop()

    return end
