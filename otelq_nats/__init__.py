"""
Hints over NATS for otelq: ``otelq.connect(url, notify="nats://...")``.

NATS carries hints and nothing else. While it is away, workers poll their database, and no job is lost.
"""

from __future__ import annotations

from typing import Any

from otelq.hints import BroadcastNotify, check_timeout
from otelq.ports.notify import NotifyAdapter

from .channel import NatsChannel, check_servers, check_subject

__all__ = ["notifier"]


def notifier(
    target: str, *, schema: str = "otelq", subject: str | None = None, timeout: float = 5.0, **options: Any
) -> NotifyAdapter:
    """
    Return a notifier that publishes and hears hints on a subject of NATS.

    Args:
        target: a URL (``nats://`` or ``tls://``), or several with commas between them, of one cluster.
        schema: the schema that holds the jobs; hints of other schemas are not heard.
        subject: the subject, for several databases that share a NATS. Default: ``otelq.hints.`` and the schema.
        timeout: seconds that connecting, and sending a message, may take.
        options: anything else goes to ``nats.connect``: ``user_credentials=``, ``tls=`` and the like.

    Raises:
        InvalidArgument: the URL, the subject or an option cannot be used.
    """
    channel = NatsChannel(
        check_servers(target, options),
        subject=check_subject(subject, schema),
        timeout=check_timeout(timeout),
        options=options,
    )
    return BroadcastNotify(channel)
