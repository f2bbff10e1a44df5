"""Payloads encrypted with AES-GCM, under keys that can be rotated."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, Final, Literal, cast

import msgspec
from msgspec import Struct

from ..errors import InvalidArgument, UndecodablePayload
from ..texts import storable
from .checks import check_text
from .protocol import PayloadPlace

MARK = "otelq:enc"
"""The key by which a stored payload is known to be encrypted."""
LONGEST_KEY_ID = 64
KEY_SIZES = (16, 24, 32)
NONCE = 12
"""Bytes of a nonce; the size that NIST SP 800-38D recommends for GCM."""


class Envelope(Struct, frozen=True, forbid_unknown_fields=True):
    """The stored form of an encrypted payload; ``data`` is nonce and ciphertext in base64."""

    version: Literal[1] = msgspec.field(name=MARK)
    key: str
    data: str


_decoder = msgspec.json.Decoder(Envelope)


def read_envelope(text: str) -> Envelope | None:
    """Return the stored text as an encrypted payload; None if it is none."""
    if MARK not in text:
        return None
    try:
        return _decoder.decode(text)
    except msgspec.DecodeError:
        return None


class Encryption:
    """
    A payload codec that encrypts the inputs and outputs of all jobs with AES-GCM. It needs otelq's extra
    ``encryption``.

    ``otelq.connect(url, codec=otelq.Encryption({"2026-11": new, "2026-01": old}, use="2026-11"))``. A payload is stored
    as ``{"otelq:enc": 1, "key": "2026-11", "data": "…"}``. ``Client.jobs``, ``Client.chains`` and the database's own
    tools show it so, and a search through payloads finds nothing. Names, tags, headers, tenants, request ids, dedup
    keys and the texts of errors are not encrypted.

    The chain, the kind (input or output) and, for an input, the job type are authenticated with the payload: a
    ciphertext that was moved to another chain, or to a job of another type, is refused. A writer of the tables could
    still exchange two inputs for the same type in one chain.

    To rotate keys, give the new key to every process, then give its id as ``use``, and remove the old key when no
    payload needs it any more. No payload is encrypted again: a closed chain needs its key until it is deleted. Nonces
    are random, so use a key for at most 2**32 payloads.

    Args:
        keys: the keys by their ids. An id has 1 to 64 characters and is stored with each payload; a key is 16, 24 or 32
            random bytes.
        use: the id of the key that encrypts; None if there is one key only.
        require: whether payloads that are not encrypted are refused. By default they are read: those stored before
            there was a codec, and those that others write into the tables.

    Raises:
        InvalidArgument: a key has another length, ``use`` is unknown, or cryptography is not installed.
    """

    shrinks: Final = False
    """Payloads over the limit are refused before they are encrypted."""

    def __init__(self, keys: Mapping[str, bytes], *, use: str | None = None, require: bool = False) -> None:
        check_keys(keys)
        if use is None and len(keys) > 1:
            raise InvalidArgument("use", f"is missing; name the key that encrypts: {', '.join(keys)}")
        self._use = next(iter(keys)) if use is None else use
        if self._use not in keys:
            raise InvalidArgument("use", f"is {use!r}; give one of {', '.join(keys)}")
        self._ciphers = {id: _cipher(key) for id, key in keys.items()}
        self._require = require

    def __repr__(self) -> str:
        return f"Encryption(keys={list(self._ciphers)}, use={self._use!r}, require={self._require})"

    def encode(self, text: str, place: PayloadPlace, /) -> str:
        """
        Return the payload encrypted with the key in use, under a new nonce.

        Args:
            text: the payload as JSON text.
            place: the place to which it belongs.
        """
        nonce = os.urandom(
            NONCE
        )  # the only random number of the pure core: a nonce that can be predicted or repeats breaks AES-GCM
        data = nonce + self._ciphers[self._use].encrypt(nonce, text.encode(), _associated_data(place, self._use))
        return msgspec.json.encode(Envelope(1, self._use, b64encode(data).decode())).decode()

    def decode(self, text: str, place: PayloadPlace, /) -> str:
        """
        Return the decrypted payload, or the given text if it is not encrypted and need not be.

        Args:
            text: the stored JSON text.
            place: the place to which it belongs.

        Raises:
            UndecodablePayload: the key is missing, or the text was changed or belongs to another chain or type. The
                message names the id of the key only.
        """
        envelope = read_envelope(text)
        if envelope is None:
            if self._require:
                raise UndecodablePayload("is not encrypted, and Encryption(require=True) reads nothing else")
            return text
        cipher = self._ciphers.get(envelope.key)
        if cipher is None:
            raise UndecodablePayload(f"is encrypted with key {_key_id(envelope)}, which Encryption was not given")
        try:
            data = b64decode(envelope.data, validate=True)
            opened: bytes = cipher.decrypt(data[:NONCE], data[NONCE:], _associated_data(place, envelope.key))
        except Exception:  # the cause would tell an attacker more than the failure does
            raise UndecodablePayload(
                f"cannot be decrypted with key {_key_id(envelope)}: it is another key under that name, or the payload"
                " was changed, or belongs to another chain or job type"
            ) from None
        return opened.decode()


def refuse_envelope_form(text: str, *, argument: str) -> None:
    """Refuse a payload in plain that would be taken for an encrypted one when it is read."""
    if read_envelope(text) is not None:
        raise InvalidArgument(argument, f"has the form of an encrypted payload; rename its key {MARK!r}")


def refuse_encrypted(text: str) -> None:
    """Raise for an encrypted payload where there is no codec to read it."""
    envelope = read_envelope(text)
    if envelope is not None:
        raise UndecodablePayload(
            f"is encrypted with key {_key_id(envelope)}; connect with codec=otelq.Encryption(...) that has it"
        )


def check_keys(keys: object) -> None:
    """Refuse keys that are not bytes of the right length by id."""
    if not isinstance(keys, Mapping) or not keys:
        raise InvalidArgument("keys", "has no keys; give bytes by id, as in {'2026-11': os.urandom(32)}")
    for id, key in cast(Mapping[str, object], keys).items():
        check_text(id, argument="keys", longest=LONGEST_KEY_ID)
        if not isinstance(key, bytes) or len(key) not in KEY_SIZES:
            raise InvalidArgument(
                "keys", f"has no key of 16, 24 or 32 bytes under {id!r}; make one with os.urandom(32)"
            )


def _cipher(key: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ModuleNotFoundError as error:
        raise InvalidArgument(
            "codec", "needs cryptography; install otelq's extra `encryption` (README, Install)"
        ) from error
    return AESGCM(key)


def _associated_data(place: PayloadPlace, key: str) -> bytes:
    """Return the associated data of AES-GCM; as JSON, so that no two places give the same bytes."""
    return msgspec.json.encode([MARK, 1, key, place.kind, place.chain_id, place.job_type])


def _key_id(envelope: Envelope) -> str:
    return repr(storable(envelope.key, longest=LONGEST_KEY_ID))
