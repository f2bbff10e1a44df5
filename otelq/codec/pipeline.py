"""The way of payloads to the database and back: the type's format, the codec and the limit of one client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from ..errors import InvalidArgument, UndecodablePayload
from .checks import MAX_PAYLOAD, check_json, check_size
from .encryption import refuse_encrypted, refuse_envelope_form
from .payload import Payload
from .protocol import PayloadCodec, PayloadPlace


@dataclass(frozen=True, slots=True)
class PayloadPipeline:
    """Encodes and decodes all payloads of a client; ``limit`` is in bytes."""

    codec: PayloadCodec | None = None
    limit: int = MAX_PAYLOAD

    def encode(self, value: object, *, payload: Payload, place: PayloadPlace, argument: str) -> str:
        """
        Return the JSON text to store for a value.

        Raises:
            InvalidArgument: it does not fit its type, some database, or the limit; or the codec failed.
        """
        if self.codec is None:
            text = payload.encode(value, argument=argument, limit=self.limit)
            refuse_envelope_form(text, argument=argument)
            return text
        text = payload.encode(value, argument=argument, limit=self._plain_limit)
        try:
            stored = self.codec.encode(text, place)
            data = str.encode(stored)  # a TypeError unless it is text
            check_size(data, argument=argument, limit=self.limit)
            msgspec.json.decode(data)
        except InvalidArgument:
            raise
        except Exception as error:
            raise InvalidArgument(argument, f"was not encoded by the codec: {_class_name(error)}") from error
        check_json(data, argument=argument, limit=self.limit)
        return stored

    @property
    def _plain_limit(self) -> int | None:
        """Return the largest text to give to the codec; None for any."""
        # A codec that never shrinks would only make a text that is too long longer, at some cost.
        return None if getattr(self.codec, "shrinks", True) else self.limit

    def decode(self, text: str, *, payload: Payload, place: PayloadPlace) -> Any:
        """
        Return the value of a stored text.

        Raises:
            UndecodablePayload: it does not fit the type, or the codec cannot read it.
        """
        if self.codec is None:
            refuse_encrypted(text)
            return payload.decode(text)
        try:
            plain = self.codec.decode(text, place)
        except UndecodablePayload:
            raise
        except Exception as error:
            raise UndecodablePayload(f"was not decoded by the codec: {_class_name(error)}") from error
        return payload.decode(plain)


def _class_name(error: Exception) -> str:
    return type(error).__qualname__
