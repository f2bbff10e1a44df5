"""The server's answers to COMMIT, and the results of prepared statements, both of which asyncpg hides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from ...ports.state import Ending

_ENDINGS: Final = {"COMMIT": Ending.COMMITTED, "ROLLBACK": Ending.ROLLED_BACK}


Prepared: TypeAlias = Callable[[str, BaseException | None], None]
"""A callback for a prepared statement that was run, with its text and its error."""


class Answers:
    """
    A wrapper around the protocol of an asyncpg connection that records the answer to the last simple query.

    The server answers ROLLBACK to the COMMIT of a transaction in which a statement failed. The driver drops that
    answer, and returns as from a commit: the writes would be lost without an error.
    """

    __slots__ = ("asked", "last", "on_prepared", "protocol")

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol
        self.asked = ""
        self.last = ""
        self.on_prepared: Prepared | None = None

    async def query(self, query: str, timeout: float | None) -> Any:
        """Send a simple query, as BEGIN and COMMIT are, and record the answer."""
        answer = await self.protocol.query(query, timeout)
        self.asked, self.last = query, answer
        return answer

    async def bind_execute(self, *given: Any, **named: Any) -> Any:
        """Run a statement, and report one that the application prepared; asyncpg's loggers report the others."""
        # A connection passes its arguments by name, a prepared statement by position.
        report = self.on_prepared if given else None
        try:
            result = await self.protocol.bind_execute(*given, **named)
        except BaseException as error:
            if report is not None:
                report(given[0].query, error)
            raise
        if report is not None:
            report(given[0].query, None)
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self.protocol, name)

    @property
    def ending(self) -> Ending | None:
        """Return the ending by the last query; None if that was no COMMIT or ROLLBACK."""
        return _ENDINGS.get(self.last)

    def ending_by(self, query: str) -> Ending | None:
        """Return the ending by this query; None if it was not the last simple query."""
        return self.ending if self.asked is query else None


def record_answers(connection: Any) -> Answers:
    """Record the server's answers on a connection of asyncpg; a second call returns the same recorder."""
    if not isinstance(connection._protocol, Answers):
        connection._protocol = Answers(connection._protocol)
    answers: Answers = connection._protocol
    return answers


def stop_recording(connection: Any) -> None:
    """Restore the protocol of a connection of asyncpg."""
    if isinstance(connection._protocol, Answers):
        connection._protocol = connection._protocol.protocol
