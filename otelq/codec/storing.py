"""The form in which one client stores payloads and reads them: its codec, and its limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from ..errors import InvalidArgument, UndecodablePayload
from .checks import MAX_PAYLOAD, check_json
from .encryption import refuse_sealed, refuse_unopened
from .payload import Payload
from .protocol import PayloadCodec, PayloadPlace


@dataclass(frozen=True, slots=True)
class Payloads:
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
        text = payload.encode(value, argument=argument, limit=None)
        try:
            stored = self.codec.encode(text, place)
            msgspec.json.decode(stored)
        except Exception as error:
            raise InvalidArgument(argument, f"was not encoded by the codec: {_kind(error)}") from error
        check_json(stored.encode(), argument=argument, limit=self.limit)
        return stored

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
