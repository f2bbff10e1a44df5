"""Hints by LISTEN and NOTIFY: sent through the connections that there are, heard on one of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager

from ..errors import Unavailable
from ..hints import Channel
from ..uninterrupted import finish
from .database import PostgresDatabase
from .drivers import Source
from .errors import bare, text_of


class PostgresChannel(Channel):
    """
    Sends texts by NOTIFY, in a statement of its own after the commit that they are about: no verb can fail by it.

    Args:
        database: what texts are sent through.
        source: returns an unopened source whose one connection listens.
        owns_database: open and close the database, which nobody else uses.
    """

    name = "postgresql"
    unheard = (
        "a NOTIFY that was sent through the connections of this client is not heard by LISTEN, as behind a transaction "
        "pooler: jobs of other processes are found by polling. Give connect() notify='postgresql://...' with the "
        "address of the server itself, or notify=None"
    )

    def __init__(self, database: PostgresDatabase, *, source: Callable[[], Source], owns_database: bool) -> None:
        self._database = database
        self._source = source
        self._owns_database = owns_database
        self._channel = f"otelq_hints_{database.queries.schema}"

    async def open(self) -> None:
        if self._owns_database:
            await self._database.open()

    async def close(self) -> None:
        if self._owns_database:
            await self._database.close()

    async def send(self, texts: Sequence[str]) -> None:
        await self._database.run(lambda session: session.rows("notify", self._channel, texts))

    @asynccontextmanager
    async def listen(self, receive: Callable[[str], None], *, lost: Callable[[], None]) -> AsyncGenerator[None]:
        source, timeout = self._source(), self._database.command_timeout
        try:
            async with asyncio.timeout(timeout):
                await source.open()
            async with (
                source.loan(atomic=False, timeout=timeout) as connection,
                connection.listen(self._channel, receive, lost=lost, timeout=timeout),
            ):
                yield
        except Unavailable:
            raise
        except Exception as error:
            raise Unavailable(f"cannot listen at {source.location}: {text_of(error)}") from bare(error)
        finally:
            await finish(source.close())
