"""Arrays of PostgreSQL's own types, made known to a connection before it asks the server."""

from __future__ import annotations

from typing import Any, Final

_ARRAYS: Final = {
    1000: ("_bool", 16),
    1007: ("_int4", 23),
    1016: ("_int8", 20),
    1022: ("_float8", 701),
    1185: ("_timestamptz", 1184),
    2951: ("_uuid", 2950),
}
"""What the statements use: the type's own number, its name, and the number of its elements, which never change."""

_KNOWN: Final = [
    {
        "oid": oid, "ns": "pg_catalog", "name": name, "kind": b"b", "elemtype": element, "elemdelim": b",",
        "basetype": None, "range_subtype": None, "attrtypoids": None,
    }
    for oid, (name, element) in _ARRAYS.items()
]  # fmt: skip
_LAST: Final = next(reversed(_ARRAYS))


def introduce_arrays(connection: Any) -> None:
    """
    Spare a connection its question for these types.

    The driver knows few arrays from the start. It asks for others by names that it looks up along the ``search_path``,
    where overloads of somebody else may stand before PostgreSQL's own.
    """
    settings = connection.get_settings()
    if settings.get_data_codec(_LAST) is None:
        settings.register_data_types(_KNOWN)
