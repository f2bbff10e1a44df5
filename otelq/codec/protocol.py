"""How an application changes the form in which payloads are stored: it encrypts, compresses or signs them."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct


class PayloadPlace(Struct, frozen=True):
    """
    Where a payload belongs, for codecs that bind it to its place.

    ``kind`` says what it is. ``chain_id`` is known for every payload, before it is encoded. ``job_type`` is the type
    of the job that an input is for; None for an output, which is its chain's whichever job of it came last.
    """

    kind: Literal["input", "output"]
    chain_id: str
    job_type: str | None = None


@runtime_checkable
class PayloadCodec(Protocol):
    """
    The stored form of payloads; ``otelq.connect(..., codec=...)``. See ``Encryption`` for one that is ready.

    Both methods are called in the event loop, for every payload; they must be quick and must not wait. What they
    raise is stored and logged with the job, so it must not show payloads. Every client and worker of a database needs
    a codec that reads what the others write.

    A codec that never makes a payload smaller may have an attribute ``shrinks = False``: payloads over the limit are
    then refused before they come to it.
    """

    def encode(self, text: str, place: PayloadPlace, /) -> str:
        """
        The JSON text to store for the JSON text of a payload.

        It is the stored form that ``max_payload`` bounds. A database may give it back with other white space and
        another order of keys, so whatever has to come back bit by bit belongs in a JSON string.
        """
        ...

    def decode(self, text: str, place: PayloadPlace, /) -> str:
        """
        The JSON text of a payload for what was stored, also for what was stored before there was a codec.

        Raises:
            UndecodablePayload, or any other: the text cannot be read; the job or the call that needs it fails.
        """
        ...
