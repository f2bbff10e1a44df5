"""Checks of PostgreSQL URLs, the part of a URL that may be shown, and the name under which its connections run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from ....errors import InvalidArgument

_FORM: Final = "postgresql://user:password@host/database"
_ENCODE: Final = "percent-encode user, password and database, as urllib.parse.quote(..., safe='') does"


def check_url(url: str) -> None:
    """
    Check that no part of the password can be taken for host or database.

    Raises:
        InvalidArgument: there are no two slashes, or an ``@`` where none can be; the text shows nothing of the URL.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InvalidArgument("url", f"cannot be read; {_ENCODE}") from None
    if not url.partition(":")[2].startswith("//"):
        raise InvalidArgument("url", f"has no two slashes after its scheme; give {_FORM}")
    if "@" in parts.path + parts.fragment or parts.netloc.count("@") > 1:
        raise InvalidArgument("url", f"has an @ where none can be; {_ENCODE}")


def location_of(url: str) -> str:
    """Return host, port and database, or less where a password may have been read as one of them."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "localhost", parts.port or 5432
    except ValueError:
        return "the given URL"
    if "@" in parts.query and "@" not in parts.netloc:
        return "the given URL"
    return f"{host}:{port}, database {parts.path.strip('/') or '(default)'}"


def with_application_name(url: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with ``otelq`` as the name of the application, unless they or the URL have another."""
    given: object = options.get("server_settings") or {}
    if not isinstance(given, Mapping) or "application_name" in {*given, *parse_qs(url.partition("?")[2])}:
        return dict(options)
    return {**options, "server_settings": {**given, "application_name": "otelq"}}
