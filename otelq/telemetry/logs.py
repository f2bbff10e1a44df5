"""
Logging with the standard library: a logger for each part, and a filter that adds the ids of the running job.

Add the filter to a logging handler, and log lines of job handlers carry the ids too::

    handler.addFilter(JobContextFilter())
    handler.setFormatter(logging.Formatter("%(message)s job=%(job_id)s trace=%(trace_id)s"))
"""

from __future__ import annotations

import logging
from contextvars import ContextVar

from opentelemetry.trace import get_current_span

from ..logs import Log
from ..model import Claimed, job_id
from ..texts import LONGEST_NAME, line
from .names import Attribute
from .stored_context import request_id

current_job: ContextVar[Claimed | None] = ContextVar("otelq_current_job", default=None)
"""The job whose handler runs in this context."""


def logger(part: str) -> Log:
    """Return the logger of a part of otelq: ``otelq.worker``, ``otelq.client``, ..."""
    return Log(f"otelq.{part}")


def job_extra(job: Claimed) -> dict[str, str | int]:
    """Return the ids of a job for ``extra=`` of a log call, under the names that its spans use."""
    return {
        Attribute.MESSAGE_ID: job_id(job.lease.chain_id, job.lease.position),
        Attribute.CHAIN_ID: job.lease.chain_id,
        Attribute.DESTINATION: job.type,
        Attribute.ATTEMPT: job.attempt,
    }


class JobContextFilter(logging.Filter):
    """
    A logging filter that adds ids to every record, and drops none.

    It sets ``trace_id``, ``span_id`` and ``trace_flags`` (lower-case hexadecimal) of the current span; ``job_id``,
    ``chain_id``, ``job_type`` and ``job_attempt`` of the attempt that runs here; and ``request_id``. A value that is
    missing is an empty text, so that a format may name all of them.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """
        Add the ids, and let the record pass.

        Args:
            record: the record.
        """
        record.trace_id, record.span_id, record.trace_flags = _span_ids()
        job = current_job.get()
        record.job_id = job_id(job.lease.chain_id, job.lease.position) if job else ""
        record.chain_id = job.lease.chain_id if job else ""
        record.job_type = line(job.type, longest=LONGEST_NAME) if job else ""
        record.job_attempt = str(job.attempt) if job else ""
        record.request_id = line(str(request_id.get() or ""), longest=LONGEST_NAME)
        return True


def _span_ids() -> tuple[str, str, str]:
    try:
        span = get_current_span().get_span_context()
        if span.is_valid:
            return f"{span.trace_id:032x}", f"{span.span_id:016x}", f"{span.trace_flags:02x}"
    except Exception:  # another provider's span may raise, and a filter that raises loses the line
        pass
    return "", "", ""
