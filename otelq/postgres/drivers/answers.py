"""What the server answers to a COMMIT, and what becomes of prepared statements: asyncpg passes on neither."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from ...ports.state import Ending

_ENDINGS: Final = {"COMMIT": Ending.COMMITTED, "ROLLBACK": Ending.ROLLED_BACK}


Prepared: TypeAlias = Callable[[str, BaseException | None], None]
"""Called with the text of a prepared statement that was run, and its error."""


class Answers:
    """
    Stands between a connection of asyncpg and its protocol, and keeps the answer to the last simple query.

    The server answers ROLLBACK to the COMMIT of a transaction in which a statement failed. The driver drops that
    answer, and returns as from a commit: what was written would be lost in silence.
    """

    __slots__ = ("asked", "last", "on_prepared", "protocol")

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol
        self.asked = ""
        self.last = ""
        self.on_prepared: Prepared | None = None

    async def query(self, query: str, timeout: float | None) -> Any:
        """Send a query, as BEGIN and COMMIT are sent."""
        answer = await self.protocol.query(query, timeout)
        self.asked, self.last = query, answer
        return answer

    async def bind_execute(self, *given: Any, **named: Any) -> Any:
        """Run a statement, and tell of one that the application prepared: of others asyncpg's loggers are told."""
        told = self.on_prepared if given else None  # a connection names all that it gives, a prepared statement nothing
        try:
            result = await self.protocol.bind_execute(*given, **named)
        except BaseException as error:
            if told is not None:
                told(given[0].query, error)
            raise
        if told is not None:
            told(given[0].query, None)
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self.protocol, name)

    @property
    def ending(self) -> Ending | None:
        """How a transaction ended by the last query; None if that was no COMMIT or ROLLBACK."""
        return _ENDINGS.get(self.last)

    def ending_by(self, query: str) -> Ending | None:
        """The same of this query; None if it was not the last, or was sent in another way than BEGIN and COMMIT are."""
        return self.ending if self.asked is query else None


def record_answers(connection: Any) -> Answers:
    """Hear what the server answers on a connection of asyncpg; whoever asks again gets the same."""
    if not isinstance(connection._protocol, Answers):
        connection._protocol = Answers(connection._protocol)
    answers: Answers = connection._protocol
    return answers


def stop_recording(connection: Any) -> None:
    """Give a connection of asyncpg its protocol back."""
    if isinstance(connection._protocol, Answers):
        connection._protocol = connection._protocol.protocol
