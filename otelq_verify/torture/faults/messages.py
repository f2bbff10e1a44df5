"""PostgreSQL's protocol, as far as needed to find the end of a message and the end of a server's answer."""

from __future__ import annotations

from typing import Final

IDLE: Final = b"Z\0\0\0\5I"
"""ReadyForQuery outside any transaction: what was asked is done, and what was to be committed is."""

_HEAD: Final = 5


class Messages:
    """Cuts a stream of bytes into whole messages; the first that a client sends has no type."""

    def __init__(self, *, begins_untyped: bool) -> None:
        self._untyped = begins_untyped
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that are complete with these bytes, as they are on the wire."""
        data = self._rest + data
        whole: list[bytes] = []
        begin = 0
        while (end := self._end(data, begin)) is not None:
            whole.append(data[begin:end])
            begin = end
            self._untyped = False
        self._rest = data[begin:]
        return whole

    def _end(self, data: bytes, begin: int) -> int | None:
        length = begin if self._untyped else begin + 1
        if len(data) < length + 4:
            return None
        end = length + int.from_bytes(data[length : length + 4])
        return end if end <= len(data) else None


def is_commit(message: bytes) -> bool:
    """Return True if a client's message is a query that begins with COMMIT."""
    return message[:1] == b"Q" and message[_HEAD : _HEAD + 6].upper() == b"COMMIT"
