"""A channel: what notifiers over servers differ in, beneath hints and everything that is decided about them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final

from ..errors import InvalidArgument

LONGEST_TIMEOUT: Final = 3600.0


def check_timeout(timeout: object) -> float:
    """
    Return a timeout in seconds.

    Raises:
        InvalidArgument: it is no number of seconds between a millisecond and an hour.
    """
    if isinstance(timeout, int | float) and timeout is not True and 0.001 <= timeout <= LONGEST_TIMEOUT:
        return timeout
    raise InvalidArgument("timeout", f"is {timeout!r}; give seconds, from 0.001 to {LONGEST_TIMEOUT:g}")


class Channel(ABC):
    """
    Carries texts to all processes that listen, by way of a server.

    Errors of any class may leave it: hints are lost by them and nothing else, and what listened listens again.
    """

    name: str
    """The name of the server's kind, for logs."""

    unheard: str
    """The sentence for users whose own messages do not arrive although the server accepts them: why, and what to do."""

    @abstractmethod
    async def open(self) -> None:
        """Connect for ``send``, if nobody else keeps what it sends through open."""

    @abstractmethod
    async def close(self) -> None:
        """Close what ``open`` opened. Closing twice is allowed."""

    @abstractmethod
    async def send(self, texts: Sequence[str]) -> None:
        """
        Send texts to all that listen, in bounded time.

        Args:
            texts: the messages, each under 8,000 bytes.
        """

    @abstractmethod
    def listen(self, receive: Callable[[str], None], *, lost: Callable[[], None]) -> AbstractAsyncContextManager[None]:
        """
        Call ``receive`` with each text that is sent while the block runs; those of this process may count.

        Every entry makes a new connection, in bounded time.

        Args:
            receive: takes each text, on the event loop.
            lost: is called when the connection has ended. A connection that reconnects by itself calls it as well: what
                was sent meanwhile was not heard. The end of one on which nothing moves may go unnoticed.
        """
