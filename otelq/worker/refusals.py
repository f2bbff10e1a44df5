"""Job types that a worker stops claiming, because its client cannot hand out what their handlers ask for."""

from __future__ import annotations

from ..definitions import Definition
from ..errors import InvalidArgument, OtelqError
from ..logs import Log
from .context import WorkerContext

logger = Log("otelq.worker")


def refuse_type(context: WorkerContext, definition: Definition, error: InvalidArgument) -> None:
    """
    Stop claiming the jobs of a type, and log the reason once.

    The error is that of a transaction of a kind that the client does not have: every attempt in this process would
    fail of it, so other workers are left to run them. A worker that has no other type gives up.
    """
    if definition.name in context.refused:
        return
    reason = f"its handler asks for {error.problem.removeprefix('is ')}"
    context.refuse(definition.job_type.names, reason)
    text = "worker %s claims no more jobs of %r, and gives back those that it has: %s"
    logger.error(text, context.name, definition.name, reason, extra={"otelq.job.type": definition.name})
    if not context.served:
        context.give_up(OtelqError(f"it can run none of its job types; {definition.name!r}: {reason}"))
