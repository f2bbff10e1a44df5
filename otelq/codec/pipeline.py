"""The form in which one client stores payloads and reads them: its codec, and its limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from ..errors import InvalidArgument, UndecodablePayload
from .checks import MAX_PAYLOAD, check_json, check_size
from .encryption import refuse_sealed, refuse_unopened
from .payload import Payload
from .protocol import PayloadCodec, PayloadPlace


@dataclass(frozen=True, slots=True)
class PayloadPipeline:
    """What all payloads of a client pass through on their way to the database and back; ``limit`` is in bytes."""

    codec: PayloadCodec | None = None
    limit: int = MAX_PAYLOAD

    def encode(self, value: object, *, payload: Payload, place: PayloadPlace, argument: str) -> str:
        """
        The JSON text to store for a value.

        Raises:
            InvalidArgument: it does not fit its type, some database, or the limit; or the codec failed.
        """
        if self.codec is None:
            text = payload.encode(value, argument=argument, limit=self.limit)
            refuse_sealed(text, argument=argument)
            return text
        text = payload.encode(value, argument=argument, limit=self._plain_limit)
        try:
            stored = self.codec.encode(text, place)
            data = str.encode(stored)  # a TypeError for what is no text
            check_size(data, argument=argument, limit=self.limit)
            msgspec.json.decode(data)
        except InvalidArgument:
            raise
        except Exception as error:
            raise InvalidArgument(argument, f"was not encoded by the codec: {_kind(error)}") from error
        check_json(data, argument=argument, limit=self.limit)
        return stored

    @property
    def _plain_limit(self) -> int | None:
        """The largest text to give to the codec: what it makes of a larger one would be refused, unless it shrinks."""
        return None if getattr(self.codec, "shrinks", True) else self.limit

    def decode(self, text: str, *, payload: Payload, place: PayloadPlace) -> Any:
        """
        The value that a stored text stands for.

        Raises:
            UndecodablePayload: it does not fit the type, or the codec cannot read it.
        """
        if self.codec is None:
            refuse_unopened(text)
            return payload.decode(text)
        try:
            plain = self.codec.decode(text, place)
        except UndecodablePayload:
            raise
        except Exception as error:
            raise UndecodablePayload(f"was not decoded by the codec: {_kind(error)}") from error
        return payload.decode(plain)


def _kind(error: Exception) -> str:
    return type(error).__qualname__
