"""The checks of a handler, when it is declared: it takes one ``Attempt``, and where it can run."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from types import FunctionType, MethodType, UnionType
from typing import Annotated, Any, Literal, NoReturn, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from ..errors import InvalidArgument
from ..texts import LONGEST_NAME, line
from .attempt import Attempt

Executor = Literal["loop", "thread", "process"]
"""Where a handler runs: ``async def`` in the event loop, ``def`` in a thread, or in a process where that is asked."""

NEEDED = "write it as (attempt: Attempt[In]) -> Out"


def check_handler(handler: object) -> None:
    """
    Raise for a handler that cannot be called with one ``Attempt``.

    A parameter without an annotation is accepted, and so is one whose annotation names something that is defined later.

    Raises:
        InvalidArgument: with the signature that is needed.
    """
    if type(handler) in (staticmethod, classmethod):
        _refuse(handler, f"is a {type(handler).__name__}; decorate a function outside of the class, and {NEEDED}")
    if inspect.isclass(handler):
        _refuse(handler, f"is a class; give an instance with __call__, or a function, and {NEEDED}")
    if not callable(handler):
        _refuse(handler, "cannot be called; give a function")
    if _is_any_form(handler, inspect.isgeneratorfunction) or _is_any_form(handler, inspect.isasyncgenfunction):
        _refuse(handler, "yields; return the output, or a continuation")
    signature = _signature_of(handler)
    if signature is not None:
        _check_signature(handler, signature)


def executor_of(handler: Any, requested: Literal["process"] | None) -> Executor:
    """
    Return where the handler runs.

    Raises:
        InvalidArgument: it cannot run where it is asked for.
    """
    if requested is None:
        return "loop" if _is_async(handler) else "thread"
    if _is_async(handler):
        raise InvalidArgument("executor", f"{handler!r} runs in the event loop; declare it with def to use a process")
    # The process imports the handler by its name; a closure or a lambda has none that can be imported.
    if not inspect.isfunction(handler) or "<" in handler.__qualname__:
        raise InvalidArgument("executor", f"{handler!r} cannot be imported by name; use a function of a module")
    return requested


def inner_function(handler: object) -> Any:
    """Return the function inside a ``partial``, a method or a callable object; its annotations are the handler's."""
    function: Any = handler
    while isinstance(function, partial):
        function = function.func
    return function if inspect.isroutine(function) else getattr(function, "__call__")  # noqa: B004, B009


def _is_async(handler: object) -> bool:
    """Return whether a call of the handler gives a coroutine: it is an ``async def``, or its ``__call__`` is."""
    return _is_any_form(handler, inspect.iscoroutinefunction)


def _is_any_form(handler: object, predicate: Callable[[Any], bool]) -> bool:
    """Return whether the answer is yes for a handler, for the function that it wraps, or for its ``__call__``."""
    called = getattr(handler, "__call__", None)  # noqa: B004  # asked of the bound method, not for callability
    return predicate(handler) or predicate(inspect.unwrap(cast(Any, handler))) or predicate(called)


def _signature_of(handler: Any) -> inspect.Signature | None:
    """Return the parameters of the call itself; None if they cannot be known."""
    # A wrapper may take an attempt alone where the function that it wraps takes more, so what it wraps is not asked.
    # A proxy that is no function shows the parameters of the function inside, whatever its own are.
    is_plain = issubclass(type(handler), FunctionType | MethodType | partial)
    if hasattr(handler, "__wrapped__") and not is_plain:
        return None
    try:
        return inspect.signature(handler, follow_wrapped=False)
    except Exception:  # a built-in function has none, and one of the application's own may raise anything
        return None


def _check_signature(handler: Callable[..., Any], signature: inspect.Signature) -> None:
    if _is_unbound_method(handler, signature):
        text = "is a method without its object; decorate a function, or give a bound method: jobs.job(name)(obj.method)"
        _refuse(handler, f"{text}; {NEEDED}")
    try:
        signature.bind(None)
    except TypeError as error:
        text = f"has the parameters {line(str(signature), longest=LONGEST_NAME)}: with an attempt alone, {error}"
        _refuse(handler, f"{text}; {NEEDED}")
    first = next(iter(signature.parameters.values()))
    if not _may_be_attempt(annotation := _resolved(handler, first)):
        _refuse(handler, f"takes {first.name}: {_name(annotation)}, which is no Attempt; {NEEDED}")


def _is_unbound_method(handler: object, signature: inspect.Signature) -> bool:
    """Return whether this is a function from the body of a class that takes its object first."""
    if not isinstance(handler, FunctionType):
        return False
    parameters = signature.parameters
    if any(one.kind is one.VAR_POSITIONAL for one in list(parameters.values())[:1]):
        # A wrapper passes its arguments on, most likely as they are.
        function: Any = inspect.unwrap(handler)
        parameters = inspect.signature(function).parameters
    outside = handler.__qualname__.rpartition(".")[0]
    return bool(outside) and not outside.endswith("<locals>") and next(iter(parameters), "") in ("self", "cls")


def _resolved(handler: object, parameter: inspect.Parameter) -> Any:
    """Return the annotation of a parameter; ``Any`` if there is none, or it cannot be evaluated yet."""
    function = inner_function(handler)
    # `functools.wraps` copies annotations, which then belong to parameters of the function inside.
    if parameter.annotation is parameter.empty or hasattr(function, "__wrapped__"):
        return Any
    only = FunctionType(_nothing.__code__, getattr(function, "__globals__", {}))
    only.__annotations__ = {"first": parameter.annotation}
    try:
        return get_type_hints(only, include_extras=True)["first"]
    except Exception:  # the annotation may name anything, also what is defined later; a worker reads it again
        return Any


def _nothing() -> None: ...


def _may_be_attempt(annotation: Any) -> bool:
    """Return whether a parameter of this type takes an ``Attempt``; True for all that are not known to refuse it."""
    if get_origin(annotation) in (Union, UnionType):
        return any(map(_may_be_attempt, get_args(annotation)))
    if get_origin(annotation) is Annotated:
        return _may_be_attempt(get_args(annotation)[0])
    if isinstance(annotation, TypeVar):
        return annotation.__bound__ is None or _may_be_attempt(annotation.__bound__)
    kind = get_origin(annotation) or annotation
    if kind is Any or not isinstance(kind, type) or getattr(kind, "_is_protocol", False):
        return True
    return issubclass(kind, Attempt) or issubclass(Attempt, kind)


def _name(annotation: Any) -> str:
    return line(inspect.formatannotation(annotation), longest=LONGEST_NAME)


def _refuse(handler: object, problem: str) -> NoReturn:
    raise InvalidArgument("handler", f"{line(repr(handler), longest=LONGEST_NAME)} {problem}")
