"""
All errors that otelq raises, in one tree.

::

    OtelqError
    ├── InvalidArgument        also a ValueError; names the argument and the fix; nothing was written
    ├── NotFound               no such chain or job
    ├── AlreadyExists          a chain with this id exists
    ├── JobAlreadyClosed       the job is closed already; nothing was written
    ├── JobTypeMismatch        the job is of another type than the caller named; nothing was written
    ├── StillReferenced        a chain outside the deleted ones has one of them as its blocker
    ├── LeaseLost              the lease of an attempt has ended
    ├── ChainFailed            the awaited chain ended failed
    ├── ChainCancelled         the awaited chain was cancelled
    ├── ProcessFailed          a handler in another process raised
    ├── ProcessDied            the process of a handler ended while it ran
    ├── UndecodablePayload     a stored payload does not fit the type that should read it
    ├── WrongLoop              a client was used outside the process and event loop that opened it
    ├── Refused                the database refused the values; a retry would be refused again
    └── Unavailable            the database cannot be reached, or is too busy; a retry may succeed
        └── Forbidden          the database role lacks a right; a retry succeeds once it is granted

A wait that takes too long raises the built-in ``TimeoutError``. Errors of drivers become one of these, and are its
``__cause__``.
"""

from __future__ import annotations

from collections.abc import Sequence


class OtelqError(Exception):
    """The root of all errors that otelq raises."""


class InvalidArgument(OtelqError, ValueError):
    """
    An argument cannot be used. Raised before anything is written.

    Attributes:
        argument: the name of the argument, as the caller wrote it.
        problem: what is wrong with its value, and the fix.
    """

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(f"{argument}: {problem}")
        self.argument = argument
        self.problem = problem

    # Exceptions are pickled by their `args`, which hold the message alone. So are the two below.
    def __reduce__(self) -> tuple[type[InvalidArgument], tuple[str, str]]:
        return type(self), (self.argument, self.problem)


class NotFound(OtelqError, LookupError):
    """No chain or job has this id."""


class AlreadyExists(OtelqError):
    """A chain with the given id exists, or holds the dedup key that a redriven chain had; nothing was written."""


class JobAlreadyClosed(OtelqError):
    """The job is closed already; nothing was written."""


class JobTypeMismatch(OtelqError):
    """The job is of another type than the caller named; nothing was written."""


class StillReferenced(OtelqError):
    """A chain outside the given ones has one of them as its blocker; nothing was deleted."""


class LeaseLost(OtelqError):
    """The lease under which a worker acts has ended: another worker holds the job, or it was closed."""


class ChainFailed(OtelqError):
    """
    The awaited chain failed.

    Attributes:
        chain_id: the id of the chain.
        reason: the stored error text of the job that failed.
    """

    def __init__(self, chain_id: str, reason: str) -> None:
        super().__init__(f"chain {chain_id} failed: {reason}")
        self.chain_id = chain_id
        self.reason = reason

    def __reduce__(self) -> tuple[type[ChainFailed], tuple[str, str]]:
        return type(self), (self.chain_id, self.reason)


class ChainCancelled(OtelqError):
    """The awaited chain was cancelled."""


class ProcessFailed(OtelqError):
    """
    The handler of a job with ``executor="process"`` raised. It is stored and retried as that exception would be.

    Attributes:
        type: the qualified name of the exception's class.
        text: its message and traceback.
        exception_classes: the qualified names of its class and the bases of that, the nearest first.
    """

    def __init__(self, type: str, text: str, exception_classes: tuple[str, ...] = ()) -> None:
        super().__init__(f"{type}: {text}")
        self.type = type
        self.text = text
        self.exception_classes = exception_classes or (type,)

    def __reduce__(self) -> tuple[type[ProcessFailed], tuple[str, str, tuple[str, ...]]]:
        return type(self), (self.type, self.text, self.exception_classes)


class ProcessDied(OtelqError):
    """The process of a job with ``executor="process"`` ended, by itself or by a signal, while its handler ran."""


class UndecodablePayload(OtelqError):
    """A stored payload does not fit the type that should read it, or cannot be decrypted."""


class WrongLoop(OtelqError, RuntimeError):
    """A client was used before it was opened, after a fork, or from another event loop."""


class Refused(OtelqError):
    """The database refused the values of a write; a retry would be refused again."""


class Unavailable(OtelqError):
    """The database cannot be reached, or ended the work because of a conflict or a time limit; a retry may succeed."""

    in_doubt: Sequence[object] = ()
    """The transitions of a commit whose reply was lost; otelq looks up whether they were committed."""


class Forbidden(Unavailable):
    """The database role lacks a right that the call needs; nothing was written. A retry succeeds once it is granted."""
