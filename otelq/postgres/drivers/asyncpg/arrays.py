"""Array types of PostgreSQL, registered on a connection so that the driver does not look them up."""

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
"""The arrays in the statements: their OID, name and the OID of their elements, which never change."""

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
    Register the array types on a connection, unless that was done before.

    The driver knows few arrays from the start. It would query for others by names that are looked up along the
    ``search_path``, where another role's overloads may come before PostgreSQL's own.
    """
    settings = connection.get_settings()
    if settings.get_data_codec(_LAST) is None:
        settings.register_data_types(_KNOWN)
