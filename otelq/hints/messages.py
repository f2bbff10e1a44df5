"""Hints as text: several in one message, which a notifier of any kind can carry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from secrets import token_hex
from typing import Final

from msgspec import MsgspecError, Struct
from msgspec.json import Decoder, Encoder

from ..logs import Log
from ..ports.notify import Hint, HintKind

LARGEST: Final = 7_900
"""Bytes of one message; a NOTIFY of PostgreSQL holds fewer than 8,000."""

logger = Log("otelq.hints")


class Message(Struct, frozen=True, array_like=True, gc=False):
    """A message from one process to all others; without hints it only shows that messages arrive."""

    sender: str
    hints: tuple[tuple[HintKind, str, float], ...] = ()
    id: str = ""
    """What no other message has; empty in those of an older otelq."""

    def __iter__(self) -> Iterator[Hint]:
        return (Hint(*each, origin=self.id) for each in self.hints)


_ENCODER: Final = Encoder()
_DECODER: Final = Decoder(Message)


def messages(sender: str, hints: Sequence[Hint], *, largest: int = LARGEST) -> list[str]:
    """Return the hints as messages of at most ``largest`` bytes; a hint that fits into none is left out."""
    # Apart: an older otelq does not know this kind, and passes over the message that has it.
    known = [hint for hint in hints if hint.kind is not HintKind.TAKEN]
    taken = [hint for hint in hints if hint.kind is HintKind.TAKEN]
    return [*_messages(sender, known, largest), *_messages(sender, taken, largest)]


def _messages(sender: str, hints: Sequence[Hint], largest: int) -> Iterator[str]:
    empty = len(_ENCODER.encode(Message(sender, id=_new_id())))
    batch: list[tuple[HintKind, str, float]] = []
    size = empty
    for hint in hints:
        each = (hint.kind, hint.subject, hint.delay)
        length = _length(each)
        if length is None or empty + length > largest:
            logger.warning("a hint about %s cannot be sent; others find the job by polling", hint.subject)
            continue
        if size + length > largest:
            yield _ENCODER.encode(Message(sender, tuple(batch), _new_id())).decode()
            batch, size = [], empty
        batch.append(each)
        size += length
    if batch:
        yield _ENCODER.encode(Message(sender, tuple(batch), _new_id())).decode()


def _new_id() -> str:
    return token_hex(6)


def ping(sender: str) -> str:
    """Return a message without hints."""
    return _ENCODER.encode(Message(sender)).decode()


def read(text: str) -> Message | None:
    """Return the message that a text stands for; None where somebody else has sent it, or a newer otelq."""
    try:
        return _DECODER.decode(text)
    except (MsgspecError, UnicodeEncodeError):
        return None


def _length(hint: tuple[HintKind, str, float]) -> int | None:
    try:
        return len(_ENCODER.encode(hint)) + 1  # and a comma
    except UnicodeEncodeError:  # a lone surrogate, which no text of a database can hold
        return None
