"""What the server answers to a COMMIT, which asyncpg does not pass on."""

from __future__ import annotations

from typing import Any


class CommitAnswer:
    """
    Stands between a transaction of asyncpg and its connection, and keeps the answer to its last statement.

    The server answers ROLLBACK to the COMMIT of a transaction in which a statement failed. asyncpg drops the answer
    and returns as from a commit, so that what was written is lost in silence.
    """

    __slots__ = ("_connection", "text")

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.text: str | None = None

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        """Do what the connection does."""
        self.text = None
        answer: str = await self._connection.execute(query, *args, **options)
        self.text = answer
        return answer

    @property
    def _top_xact(self) -> Any:
        return self._connection._top_xact

    @_top_xact.setter
    def _top_xact(self, value: Any) -> None:
        self._connection._top_xact = value

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    @property
    def is_rollback(self) -> bool:
        """Whether a COMMIT was answered by a ROLLBACK."""
        return self.text == "ROLLBACK"


def answer_of(connection: Any) -> CommitAnswer | None:
    """
    Return what will hold the answer to the COMMIT of the transaction that is open on an asyncpg connection.

    None where it was begun by a BEGIN of the caller's own: then the caller's own COMMIT gives the answer, to them.
    """
    transaction = connection._top_xact
    if transaction is None:
        return None
    if not isinstance(transaction._connection, CommitAnswer):
        transaction._connection = CommitAnswer(transaction._connection)
    answer: CommitAnswer = transaction._connection
    return answer
