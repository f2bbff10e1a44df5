"""The application's engine, and handles for transactions of the adapter's own."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from ..errors import InvalidArgument
from .handles import Handle
from .listeners import Listeners


def check_engine(target: object) -> AsyncEngine:
    """
    Return the target as an engine.

    Raises:
        InvalidArgument: it is none.
    """
    if not isinstance(target, AsyncEngine):
        raise InvalidArgument("target", f"is {type(target).__name__}; give an AsyncEngine")
    return target


class HandleFactory:
    """Creates handles on an engine, with the application's factory of sessions if it gave one."""

    def __init__(self, engine: AsyncEngine, sessions: Any = None) -> None:
        if sessions is not None:
            _check_sessions(sessions, engine)
        self._engine = engine
        self._sessions: async_sessionmaker[AsyncSession] | None = sessions

    @property
    def session_class(self) -> type[AsyncSession]:
        """Return the class of the sessions."""
        return self._sessions.class_ if self._sessions else AsyncSession

    @property
    def names(self) -> str:
        """Return the kinds of handles that are created here, for people."""
        return f"{self.session_class.__name__} and AsyncConnection"

    def makes(self, kind: type | None) -> bool:
        """Return whether handles of this kind are created here; the usual one is."""
        return kind is None or kind is AsyncConnection or issubclass(self.session_class, kind)

    def makes_session(self, kind: type | None) -> bool:
        """Return whether a handle of this kind is a session. The usual kind is, if there is a factory of sessions."""
        return self._sessions is not None if kind is None else kind is not AsyncConnection

    def session(self) -> AsyncSession:
        """Return a new session. It cannot be used again after it is closed, by anything that still holds it."""
        make = self._sessions or async_sessionmaker(expire_on_commit=False)
        return make(bind=make.kw.get("bind") or self._engine, close_resets_only=False)


def _check_sessions(sessions: object, engine: AsyncEngine) -> None:
    if not isinstance(sessions, async_sessionmaker):
        raise InvalidArgument("session", f"is {type(sessions).__name__}; give an async_sessionmaker")
    if cast(Any, sessions).kw.get("twophase"):
        raise InvalidArgument("session", "has twophase=True, and otelq commits in one phase; give a factory without it")
    bind = cast(Any, sessions).kw.get("bind")
    if bind is not None and getattr(bind, "sync_engine", None) is not engine.sync_engine:
        raise InvalidArgument("session", "is bound to another engine; give `async_sessionmaker(engine)`")


def refuse_commits(handle: Handle, connection: Connection) -> Listeners:
    """Refuse commits of a transaction until the listeners are removed: the adapter that began it will commit it."""
    guards = Listeners()
    guards.add(connection, "commit", _refuse_to_commit, first=True)
    if isinstance(handle, AsyncSession):
        guards.add(handle.sync_session, "before_commit", _refuse_to_commit_session, first=True)
    return guards


def _refuse_to_commit(_: object) -> None:
    raise InvalidArgument("tx", "is committed by otelq when its block or its handler ends; do not commit it")


def _refuse_to_commit_session(session: Session) -> None:
    if not session.in_nested_transaction():
        _refuse_to_commit(session)
