"""
Typed payloads to JSON text and back, and the checks at the border.

What is encoded is decoded again as the same value, and every supported database can hold it: both are checked before
anything is written, so that one bad value never reaches a batch. Types are what msgspec understands
(dataclasses, TypedDict, attrs, Struct, NamedTuple, unions, plain JSON), strictly, and pydantic's, by pydantic's rules.
Between that JSON and the database may stand a codec, which encrypts or compresses.
"""

from .checks import MAX_DEPTH, MAX_ERROR_TEXT, MAX_PAYLOAD, check_json, check_line, check_text
from .encryption import Encryption
from .fields import has_fields
from .payload import Payload
from .pipeline import PayloadPipeline
from .protocol import PayloadCodec, PayloadPlace

__all__ = [
    "MAX_DEPTH",
    "MAX_ERROR_TEXT",
    "MAX_PAYLOAD",
    "Encryption",
    "Payload",
    "PayloadCodec",
    "PayloadPipeline",
    "PayloadPlace",
    "check_json",
    "check_line",
    "check_text",
    "has_fields",
]
