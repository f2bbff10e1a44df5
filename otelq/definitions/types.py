"""
Job types.

They need no plug-in: ``Out`` is what the whole chain finally yields, so continuing into a ``JobType[X, Out]``
keeps the chain's output type, and linear chains, branches, loops and jumps follow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeGuard, TypeVar, cast, get_args

from ..codec import Payload, check_line
from ..errors import InvalidArgument
from .checks import LONGEST_NAME

if TYPE_CHECKING:
    from .attempt import Attempt
    from .continuation import Continue

In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)
X = TypeVar("X")

TraceMode = Literal["auto", "parent", "link"]
"""Whether an attempt joins the trace of its job's start; see the telemetry reference."""


AnyHandler = Callable[["Attempt[Any]"], Any]
"""A handler as it was declared: an ``async def`` or a ``def``."""

TypesReader = Callable[["AnyHandler", str], tuple[Any, Any]]
"""Gives the input and the output type of a handler; the text is the job type's name."""


@dataclass(frozen=True, slots=True)
class Signature:
    """The two payloads of a job type."""

    input: Payload
    output: Payload


class JobType(Generic[In_contra, Out_co]):
    """
    A named type of job, ``JobType("send-mail", input=Mail, output=Sent)``.

    ``JobType[A, B | None]("name")`` is the form for types that are no classes. A decorated handler is a ``JobType``
    too, and can be called as a function in tests.

    Args:
        name: 1 to 200 characters without control characters, unique in an application; it is stored with every job.
        aliases: other names of the type, each as good as ``name``: jobs that are stored under one are of this type. New
            jobs get ``name``.
        input: the type of the job's input.
        output: the type of the output of a whole chain that starts with this job or continues into it.
        entry: False for a type that chains may only continue into.
        queue: the queue of its jobs, 1 to 200 characters.
        trace: ``"auto"``, ``"parent"`` or ``"link"``: whether its attempts join the trace of the start; see the
            telemetry reference.

    Raises:
        InvalidArgument: a name, the queue or ``trace`` cannot be used, a name occurs twice, or, at first use, a type
            cannot be read from JSON.
    """

    def __init__(
        self,
        name: str,
        *,
        aliases: Sequence[str] = (),
        input: type[In_contra] | None = None,
        output: type[Out_co] | None = None,
        entry: bool = True,
        queue: str = "default",
        trace: TraceMode = "auto",
    ) -> None:
        self.name = check_line(name, argument="name", longest=LONGEST_NAME)
        self.aliases = _check_aliases(aliases, name=name)
        self.queue = check_line(queue, argument="queue", longest=LONGEST_NAME)
        self.entry = entry
        if trace not in get_args(TraceMode):
            raise InvalidArgument("trace", f"is {trace!r}; give one of {', '.join(get_args(TraceMode))}")
        self.trace: TraceMode = trace
        self._declared: tuple[Any, Any] = (input, output)
        self._handler: AnyHandler | None = None
        self._read: TypesReader | None = None

    def __repr__(self) -> str:
        return f"JobType({self.name!r})"

    @property
    def names(self) -> tuple[str, ...]:
        """Return all names of the type: its own, then its aliases."""
        return self.name, *self.aliases

    async def __call__(self, attempt: Attempt[Any], /) -> Out_co | Continue[Out_co]:
        """Call the handler as the function it is; a test's way in."""
        if self._handler is None:
            raise TypeError(f"{self!r} was declared without a handler; call the function decorated with handles()")
        returned: Any = self._handler(attempt)
        return cast(Out_co, await returned if isawaitable(returned) else returned)

    @property
    def handler(self) -> AnyHandler | None:
        """Return the function behind a decorated name; None for a type that was declared apart from its handler."""
        return self._handler

    @cached_property
    def signature(self) -> Signature:
        """Return the payloads of the type; found at first use, so that annotations may name classes defined later."""
        declared = self._arguments() or self._annotations() or self._declared
        for kind, argument in zip(declared, ("input", "output"), strict=True):
            if kind is None:
                raise InvalidArgument(
                    argument, f"job type {self.name!r} has none; declare it, or use JobType[A, B](...)"
                )
        return Signature(self._payload("input", declared[0]), self._payload("output", declared[1]))

    def with_handler(self, handler: AnyHandler, *, read: TypesReader) -> JobType[In_contra, Out_co]:
        """Return the same type, callable; ``read`` finds the types of the handler where none were declared."""
        bound: JobType[In_contra, Out_co] = JobType(
            self.name, aliases=self.aliases, entry=self.entry, queue=self.queue, trace=self.trace
        )
        bound._declared = self._arguments() or self._declared
        bound._handler, bound._read = handler, read
        return bound

    def _payload(self, argument: str, kind: Any) -> Payload:
        try:
            return Payload(kind)
        except InvalidArgument as error:
            raise InvalidArgument(argument, f"of job type {self.name!r}: {error.problem}") from error

    def _arguments(self) -> tuple[Any, Any] | None:
        alias = self.__dict__.get("__orig_class__")  # set by typing after `JobType[A, B](...)` returned
        arguments = get_args(alias)
        if len(arguments) != 2 or any(isinstance(argument, TypeVar) for argument in arguments):
            return None
        return arguments[0], arguments[1]

    def _annotations(self) -> tuple[Any, Any] | None:
        if self._handler is None or self._read is None or self._declared != (None, None):
            return None
        return self._read(self._handler, self.name)


def _check_aliases(aliases: object, *, name: str) -> tuple[str, ...]:
    if isinstance(aliases, str) or not isinstance(aliases, Iterable):
        raise InvalidArgument("aliases", f"is {aliases!r}; give several names, as in a list")
    known = [name]
    for alias in cast(Iterable[str], aliases):
        check_line(alias, argument="aliases", longest=LONGEST_NAME)
        if alias in known:
            raise InvalidArgument("aliases", f"names {alias!r}, which the type {name!r} has already")
        known.append(alias)
    return tuple(known[1:])


def is_job_type(value: object) -> TypeGuard[JobType[Any, Any]]:
    """Return whether this is a job type; a decorated handler is one."""
    return isinstance(value, JobType)


def check_job_type(argument: str, job_type: object) -> None:
    """Refuse anything but a ``JobType``; a name does not include the types of the payloads."""
    if not isinstance(job_type, JobType):
        raise InvalidArgument(argument, f"is {job_type!r}; give a JobType or a decorated handler")
