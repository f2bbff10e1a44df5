"""The protocol of codecs, which encrypt, compress or sign payloads for an application."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct


class PayloadPlace(Struct, frozen=True):
    """The place of a payload, for codecs that bind it to its place."""

    kind: Literal["input", "output"]
    """Whether it is the input of a job or the output of a chain."""
    chain_id: str
    """The id of the chain; it is known for every payload before it is encoded."""
    job_type: str | None = None
    """The type of the job that an input is for; None for an output."""


@runtime_checkable
class PayloadCodec(Protocol):
    """
    The stored form of payloads, for ``otelq.connect(..., codec=...)``. ``Encryption`` is one.

    Both methods are called in the event loop for every payload: they must be quick and must not wait. The text of their
    exceptions is stored and logged with the job, so it must not show payloads. All clients and workers of a database
    need a codec that reads the payloads of the others.

    A codec that never shrinks a payload may have an attribute ``shrinks = False``: then payloads over the limit are
    refused before they are encoded.
    """

    def encode(self, text: str, place: PayloadPlace, /) -> str:
        """
        Return the JSON text to store for a payload.

        ``max_payload`` bounds its length. A database may return it with other white space and another order of keys, so
        keep bytes that must not change in a JSON string.

        Args:
            text: the payload as JSON text.
            place: the place to which it belongs.
        """
        ...

    def decode(self, text: str, place: PayloadPlace, /) -> str:
        """
        Return the JSON text of a payload, also for one that was stored before there was a codec.

        Args:
            text: the stored JSON text.
            place: the place to which it belongs.

        Raises:
            UndecodablePayload: the text cannot be read; other exceptions count as well. The job or the call that needs
                the payload fails.
        """
        ...
