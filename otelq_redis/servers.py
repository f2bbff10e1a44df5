"""Clients of Redis from a URL: for one server, a Cluster, or a service behind Sentinel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from inspect import signature
from typing import Any, Final, Protocol, TypeAlias, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from redis.asyncio import Redis, RedisCluster, Sentinel
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from otelq.errors import InvalidArgument


class RedisClient(Protocol):
    """The part of redis-py's clients that is used; they differ in their types, and not in these methods."""

    def publish(self, channel: str, message: str, /) -> Awaitable[Any]:
        """Send a message to all that listen on a channel."""
        ...

    def pubsub(self, *, ignore_subscribe_messages: bool) -> Any:
        """Return what listens, on a connection of its own."""
        ...

    async def aclose(self) -> None:
        """Close the client."""


Redises: TypeAlias = Callable[[], RedisClient]
"""Returns a new client that has not connected yet."""

SENTINEL_PORT: Final = 26379
FORMS: Final = "redis://, rediss://, redis+cluster:// or redis+sentinel://host,host/service"


def redises(target: object, *, timeout: float, options: Mapping[str, Any]) -> Redises:
    """
    Return a function that makes clients of what ``target`` names.

    Raises:
        InvalidArgument: it is no URL of Redis, or an option is unknown.
    """
    if callable(target):
        if options:
            raise InvalidArgument(next(iter(options)), "is for a URL; give it to the clients that the function makes")
        return cast(Redises, target)
    if not isinstance(target, str):
        raise InvalidArgument("notify", f"is {type(target).__name__}; give a URL such as {FORMS}, or a function")
    _check_options(options)
    # Connecting is tried again by what uses the client, which has to know that messages may have been missed.
    shared = {"socket_timeout": timeout, "socket_connect_timeout": timeout, "retry": Retry(NoBackoff(), 0), **options}
    try:
        make = _maker(target, shared)
        make()  # connects to nothing, and finds wrong options now
    except InvalidArgument:
        raise
    except TypeError as error:
        raise InvalidArgument("notify", f"cannot be used: {error}; give a URL such as {FORMS}") from None
    except ValueError:  # its text may hold a part of a password: of one with a slash, the port is what is before that
        raise InvalidArgument(
            "notify", f"cannot be read; give a URL such as {FORMS}, with / ? # of a password written as %2F %3F %23"
        ) from None
    return make


def _check_options(options: Mapping[str, Any]) -> None:
    """Raise for an option that no client knows; it would be noticed only when it connects."""
    known = signature(Redis).parameters.keys() | signature(RedisCluster).parameters.keys()
    for name in options:
        if name not in known:
            raise InvalidArgument(name, "is no option of a client of redis.asyncio")


def _maker(url: str, options: dict[str, Any]) -> Redises:
    scheme, _, rest = url.partition("://")
    transport, _, kind = scheme.lower().partition("+")
    match kind:
        case "":
            return lambda: cast(Any, Redis).from_url(url, **options)
        case "cluster":
            return lambda: cast(Any, RedisCluster).from_url(f"{transport}://{rest}", **options)
        case "sentinel":
            return _sentinel(url, options | ({"ssl": True} if transport == "rediss" else {}))
        case _:
            raise InvalidArgument("notify", f"has the scheme {scheme!r}; give {FORMS}")


def _sentinel(url: str, options: dict[str, Any]) -> Redises:
    parts = urlsplit(url)
    service, _, database = parts.path.strip("/").partition("/")
    credentials, _, hosts = parts.netloc.rpartition("@")
    if not service or not hosts:
        raise InvalidArgument("notify", "names no service; give redis+sentinel://host:26379,host:26379/service")
    user, _, password = credentials.partition(":")
    given = {"db": database or 0, "username": unquote(user) or None, "password": unquote(password) or None}
    options = {**given, **dict(parse_qsl(parts.query)), **options}
    places = [_place(host) for host in hosts.split(",")]

    def make() -> RedisClient:
        sentinel: Any = cast(Any, Sentinel)(places, sentinel_kwargs=_of_sentinels(options), **options)
        return cast(RedisClient, sentinel.master_for(service, Redis))

    return make


async def close(client: RedisClient) -> None:
    """Close a client with all its connections, those to Sentinels included."""
    await client.aclose()
    pool: Any = getattr(client, "connection_pool", None)
    for sentinel in getattr(getattr(pool, "sentinel_manager", None), "sentinels", ()):
        await sentinel.aclose()


def _of_sentinels(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that Sentinels share with their servers: not those of one database, nor its users."""
    own = ("db", "username", "password")
    return {name: value for name, value in options.items() if name not in own}


def _place(host: str) -> tuple[str, int]:
    parts = urlsplit(f"//{host}")
    return parts.hostname or "localhost", parts.port or SENTINEL_PORT
