"""Connections that the server closed while they were idle in a pool."""

from __future__ import annotations

import select
from typing import Any

_EVENTS = select.POLLIN | select.POLLHUP | select.POLLERR


def was_closed_by_server(connection: Any) -> bool:
    """
    Return whether the server has closed an idle connection of asyncpg or psycopg, without a query.

    psycopg reads nothing while it is idle: a restarted server has left a last message and the end of the stream in the
    socket. A notice or a notification may be there in the same way; then it is read, and the connection is good.
    """
    if not hasattr(connection, "pgconn"):
        return bool(connection.is_closed())
    if connection.closed:
        return True
    return _has_input(connection.pgconn.socket) and _ended(connection.pgconn)


def _has_input(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, _EVENTS)
    return bool(poll.poll(0))


def _ended(pgconn: Any) -> bool:
    # The last message and the end of the stream come in one read or in two.
    try:
        for _ in range(2):
            pgconn.consume_input()
            pgconn.is_busy()  # takes apart what was read
    except Exception:
        return True
    return bool(pgconn.status != 0)  # ConnStatus.OK
