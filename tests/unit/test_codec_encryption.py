"""The stored form of payloads: encrypted, or as a user's own codec makes it, and bounded either way."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otelq.codec import Encryption, Payload, PayloadCodec, PayloadPipeline, PayloadPlace
from otelq.errors import InvalidArgument, UndecodablePayload

OLD, NEW = b"o" * 16, b"n" * 32
SECRET = "4111 1111 1111 1111"
PLACE = PayloadPlace("input", "chain-1", "pay")
TEXT = Payload(str)
EMPTY = {"otelq:enc": 1, "key": "k", "data": ""}


@dataclass(frozen=True)
class Stored:
    """What one client stores, and how it reads."""

    codec: PayloadCodec | None
    limit: int = 1 << 20

    def encode(self, value: object, place: PayloadPlace = PLACE) -> str:
        return PayloadPipeline(self.codec, self.limit).encode(value, payload=TEXT, place=place, argument="input")

    def decode(self, text: str, place: PayloadPlace = PLACE) -> Any:
        return PayloadPipeline(self.codec, self.limit).decode(text, payload=TEXT, place=place)


def test_what_is_stored_is_an_envelope_and_shows_nothing_of_the_payload() -> None:
    stored = Stored(Encryption({"2026-11": NEW})).encode(SECRET)

    envelope = json.loads(stored)
    assert {**envelope, "data": ""} == {"otelq:enc": 1, "key": "2026-11", "data": ""}
    assert len(b64decode(envelope["data"])) == 12 + len(json.dumps(SECRET)) + 16
    assert "4111" not in stored


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_what_was_encrypted_comes_back(text: str) -> None:
    client = Stored(Encryption({"k": NEW}))

    assert client.decode(client.encode(text)) == text


def test_the_same_payload_is_never_stored_the_same_way_twice() -> None:
    client = Stored(Encryption({"k": NEW}))

    assert len({client.encode("a") for _ in range(100)}) == 100


@pytest.mark.parametrize("size", [16, 24, 32])
def test_keys_may_have_any_length_of_aes(size: int) -> None:
    client = Stored(Encryption({"k": b"x" * size}))

    assert client.decode(client.encode("a")) == "a"


def test_an_envelope_is_known_in_whatever_order_a_database_gives_its_keys_back() -> None:
    client = Stored(Encryption({"k": NEW}))
    envelope = json.loads(client.encode("a"))

    assert client.decode(json.dumps(dict(reversed(envelope.items())), indent=1)) == "a"


def test_old_keys_decrypt_and_the_one_in_use_encrypts() -> None:
    before = Stored(Encryption({"old": OLD}))
    after = Stored(Encryption({"new": NEW, "old": OLD}, use="new"))

    assert after.decode(before.encode("a")) == "a"
    assert json.loads(after.encode("a"))["key"] == "new"


def test_a_missing_key_is_named_by_its_id() -> None:
    stored = Stored(Encryption({"2026-01": OLD})).encode(SECRET)

    for codec in (Encryption({"2026-11": NEW}), None):
        with pytest.raises(UndecodablePayload, match="encrypted with key '2026-01'") as caught:
            Stored(codec).decode(stored)
        assert "4111" not in str(caught.value)


def _with_data(stored: str, change: Callable[[bytes], bytes]) -> str:
    envelope = json.loads(stored)
    return json.dumps({**envelope, "data": b64encode(change(b64decode(envelope["data"]))).decode()})


@pytest.mark.parametrize(
    "place",
    [
        PayloadPlace("input", "chain-2", "pay"),
        PayloadPlace("input", "chain-1", "refund"),
        PayloadPlace("output", "chain-1", "pay"),
        PayloadPlace("output", "chain-1"),
    ],
)
def test_a_payload_that_was_moved_elsewhere_is_refused(place: PayloadPlace) -> None:
    client = Stored(Encryption({"k": NEW}))

    with pytest.raises(UndecodablePayload, match="belongs to another chain or job type"):
        client.decode(client.encode(SECRET), place)


SPOILERS: list[Callable[[str], str]] = [
    lambda stored: _with_data(stored, lambda data: data[:-1] + bytes([data[-1] ^ 1])),
    lambda stored: _with_data(stored, lambda data: bytes([data[0] ^ 1]) + data[1:]),
    lambda stored: _with_data(stored, lambda data: data[:8]),
    lambda stored: _with_data(stored, lambda _: b""),
    lambda stored: stored.replace('"data":"', '"data":"!'),
    lambda stored: stored.replace('"key":"k"', '"key":"other"'),
]


@pytest.mark.parametrize("spoil", SPOILERS)
def test_a_changed_payload_is_refused(spoil: Callable[[str], str]) -> None:
    client = Stored(Encryption({"k": NEW, "other": NEW}, use="k"))

    with pytest.raises(UndecodablePayload, match="cannot be decrypted with key"):
        client.decode(spoil(client.encode(SECRET)))


def test_another_key_under_the_same_name_is_refused() -> None:
    stored = Stored(Encryption({"k": OLD})).encode(SECRET)

    with pytest.raises(UndecodablePayload, match="another key under that name"):
        Stored(Encryption({"k": NEW})).decode(stored)


def test_what_was_stored_before_is_read_unless_encryption_is_required() -> None:
    stored = Stored(None).encode("a")

    assert Stored(Encryption({"k": NEW})).decode(stored) == "a"
    with pytest.raises(UndecodablePayload, match="is not encrypted"):
        Stored(Encryption({"k": NEW}, require=True)).decode(stored)


def test_a_payload_in_plain_that_looks_encrypted_is_refused_before_it_is_stored() -> None:
    anything = Payload(dict[str, Any])

    with pytest.raises(InvalidArgument, match="rename its key"):
        PayloadPipeline().encode(EMPTY, payload=anything, place=PLACE, argument="input")
    sealed = PayloadPipeline(Encryption({"k": NEW}))
    stored = sealed.encode(EMPTY, payload=anything, place=PLACE, argument="input")
    assert sealed.decode(stored, payload=anything, place=PLACE) == EMPTY


@pytest.mark.parametrize(
    "value", [{"otelq:enc": 2, "key": "k", "data": ""}, {"otelq:enc": 1}, {"a": "otelq:enc"}, {**EMPTY, "more": 1}]
)
def test_a_payload_that_only_resembles_an_encrypted_one_is_like_any_other(value: Any) -> None:
    anything = Payload(Any)

    for payloads in (PayloadPipeline(), PayloadPipeline(Encryption({"k": NEW}))):
        stored = PayloadPipeline().encode(value, payload=anything, place=PLACE, argument="input")
        assert payloads.decode(stored, payload=anything, place=PLACE) == value


def test_the_limit_counts_the_stored_form() -> None:
    sealed = Stored(Encryption({"k": NEW}), limit=1024)

    assert sealed.decode(sealed.encode("x" * 600)) == "x" * 600
    with pytest.raises(InvalidArgument, match="over the limit of 1,024"):
        sealed.encode("x" * 1000)


@pytest.mark.parametrize(
    "arguments, argument, problem",
    [
        (({},), "keys", "has no keys"),
        ((NEW,), "keys", "has no keys"),
        (({"k": b"x" * 15},), "keys", "16, 24 or 32 bytes under 'k'"),
        (({"k": "x" * 16},), "keys", "16, 24 or 32 bytes under 'k'"),
        (({"": NEW},), "keys", "0 characters"),
        (({7: NEW},), "keys", "int"),
        (({"k" * 65: NEW},), "keys", "65 characters"),
    ],
)
def test_bad_keys_are_refused_and_not_shown(arguments: Any, argument: str, problem: str) -> None:
    with pytest.raises(InvalidArgument, match=problem) as caught:
        Encryption(*arguments)

    assert caught.value.argument == argument
    assert "xxx" not in str(caught.value)


def test_the_key_in_use_must_be_named_among_several_and_be_there() -> None:
    with pytest.raises(InvalidArgument, match=r"use: is missing; .* old, new"):
        Encryption({"old": OLD, "new": NEW})
    with pytest.raises(InvalidArgument, match="use: is 'newer'; give one of old, new"):
        Encryption({"old": OLD, "new": NEW}, use="newer")


def test_no_key_is_shown_by_repr() -> None:
    shown = repr(Encryption({"old": OLD, "new": NEW}, use="new"))

    assert shown == "Encryption(keys=['old', 'new'], use='new', require=False)"


class Unused(Encryption):
    """Must not be asked."""

    def encode(self, text: str, place: PayloadPlace, /) -> str:
        raise AssertionError(f"was given {len(text):,} characters")


def test_a_payload_over_the_limit_is_refused_before_it_is_encrypted() -> None:
    with pytest.raises(InvalidArgument, match="1,026 bytes as JSON, over the limit of 1,024"):
        Stored(Unused({"new": NEW}), limit=1024).encode("x" * 1024)


class Squeezed:
    """A user's codec: compresses what is long."""

    def encode(self, text: str, place: PayloadPlace, /) -> str:
        return msgspec.json.encode([place.kind, b64encode(zlib.compress(text.encode())).decode()]).decode()

    def decode(self, text: str, place: PayloadPlace, /) -> str:
        kind, data = json.loads(text)
        assert kind == place.kind
        return zlib.decompress(b64decode(data)).decode()


def test_a_codec_of_one_s_own_may_make_large_payloads_small() -> None:
    squeezed = Stored(Squeezed(), limit=1024)

    stored = squeezed.encode("x" * 100_000)

    assert len(stored) < 1024
    assert squeezed.decode(stored) == "x" * 100_000


@dataclass(frozen=True)
class Broken:
    """A codec that does one thing wrong."""

    stored: Any = None

    def encode(self, text: str, place: PayloadPlace, /) -> str:
        if self.stored is None:
            raise ConnectionError("no keys today")
        return cast(str, self.stored)

    def decode(self, text: str, place: PayloadPlace, /) -> str:
        raise zlib.error("bad header")


@pytest.mark.parametrize(
    "stored, problem",
    [
        (None, "was not encoded by the codec: ConnectionError"),
        ("no json", "was not encoded by the codec: DecodeError"),
        (7, "was not encoded by the codec: TypeError"),
        ('"a\\u0000"', "NUL"),
        ('"\ud800"', "was not encoded by the codec: UnicodeEncodeError"),
    ],
)
def test_what_a_codec_gets_wrong_is_refused_at_the_border(stored: Any, problem: str) -> None:
    with pytest.raises(InvalidArgument, match=problem) as caught:
        Stored(Broken(stored)).encode(SECRET)

    assert "4111" not in str(caught.value)


def test_what_a_codec_cannot_read_is_undecodable() -> None:
    with pytest.raises(UndecodablePayload, match="was not decoded by the codec: error"):
        Stored(Broken()).decode("1")


def test_what_a_codec_reads_must_still_fit_the_type() -> None:
    sealed = PayloadPipeline(Encryption({"k": NEW}))
    stored = sealed.encode(7, payload=Payload(int), place=PLACE, argument="input")

    with pytest.raises(UndecodablePayload, match="Expected `str`"):
        sealed.decode(stored, payload=TEXT, place=PLACE)
