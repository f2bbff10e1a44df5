"""
Hints over Redis for otelq: ``otelq.connect(url, notify="redis://...")``.

Redis carries hints and nothing else. While it is away, workers poll their database, and no job is lost.
"""

from __future__ import annotations

from typing import Any

from otelq.hints import BroadcastNotify, check_timeout
from otelq.ports.notify import NotifyAdapter

from .channel import RedisChannel
from .servers import Redises, redises

__all__ = ["notifier"]


def notifier(
    target: str | Redises, *, schema: str = "otelq", channel: str | None = None, timeout: float = 5.0, **options: Any
) -> NotifyAdapter:
    """
    Return a notifier that publishes and hears hints by Redis, single, as a Cluster or behind Sentinel.

    Args:
        target: a URL (``redis://``, ``rediss://``, ``redis+cluster://``, ``rediss+cluster://``, ``redis+sentinel://``
            or ``rediss+sentinel://`` with several hosts and the name of the service as its path), or a function that
            returns a new, unconnected client of ``redis.asyncio``.
        schema: the schema that holds the jobs; hints of other schemas are not heard.
        channel: the name of the channel, for several databases that share a Redis. Default: ``otelq:hints:`` and the
            schema.
        timeout: seconds that connecting, and sending a message, may take.
        options: anything else goes to the client of ``redis.asyncio``: for TLS, ACL users and the like.

    Raises:
        InvalidArgument: the URL or an option cannot be used.
    """
    make = redises(target, timeout=check_timeout(timeout), options=options)
    return BroadcastNotify(RedisChannel(make, channel=channel or f"otelq:hints:{schema}", timeout=timeout))
