"""The tags, headers, tenant and request id of a chain, checked and stored."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ..codec import check_line
from ..definitions import MetaOptions
from ..errors import InvalidArgument
from ..model import Meta

MOST_PAIRS = 32
LONGEST_TEXT = 512
LONGEST_ID = 200

Pairs = Mapping[str, str] | None


def check_meta(options: MetaOptions, *, request_id: str | None = None) -> Meta | None:
    """Return the checked values, with this request id if the options have none; None if there are no values."""
    tags, headers, tenant = options.get("tags"), options.get("headers"), options.get("tenant")
    given = options.get("request_id")
    request_id = request_id if given is None else given
    if not (tags or headers) and tenant is None and request_id is None:
        return None
    return Meta(
        tags=_check_pairs("tags", tags),
        headers=_check_pairs("headers", headers),
        tenant=None if tenant is None else check_line(tenant, argument="tenant", longest=LONGEST_ID),
        request_id=None if request_id is None else check_line(request_id, argument="request_id", longest=LONGEST_ID),
    )


def merge_meta(known: Meta | None, more: Meta | None) -> Meta | None:
    """Return the values of both; ``more`` wins where both have one."""
    if known is None or more is None:
        return known or more
    return check_meta(
        {
            "tags": {**known.tags, **more.tags},
            "headers": {**known.headers, **more.headers},
            "tenant": known.tenant if more.tenant is None else more.tenant,
            "request_id": known.request_id if more.request_id is None else more.request_id,
        }
    )


def encode_meta(meta: Meta | None) -> str | None:
    """Return the stored form: JSON text."""
    return None if meta is None else msgspec.json.encode(meta).decode()


def _check_pairs(argument: str, given: Pairs) -> dict[str, str]:
    if not given:
        return {}
    if not isinstance(given, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise InvalidArgument(argument, f"is {given!r}; give a dict of text to text")
    if len(given) > MOST_PAIRS:
        raise InvalidArgument(argument, f"has {len(given)} entries; give {MOST_PAIRS} at most")
    for key, value in given.items():
        check_line(key, argument=argument, longest=LONGEST_TEXT)
        check_line(value, argument=f"{argument}[{key!r}]", longest=LONGEST_TEXT)
    return dict(given)
