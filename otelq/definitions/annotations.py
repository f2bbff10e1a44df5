"""Reads the types of a job from the annotations of its handler."""

from __future__ import annotations

import inspect
from functools import partial, reduce
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from ..errors import InvalidArgument
from .attempt import Attempt
from .continuation import Continue
from .types import AnyHandler


def annotated(handler: AnyHandler, name: str) -> tuple[Any, Any]:
    """The input and the output type of a handler, as its annotations say."""
    function: Any = inspect.unwrap(cast(Any, handler))
    while isinstance(function, partial):
        function = function.func
    function = function if inspect.isroutine(function) else getattr(function, "__call__")  # noqa: B004, B009
    try:
        hints = get_type_hints(function)
    except Exception as error:  # whatever evaluating somebody's annotations may raise
        raise InvalidArgument("handler", f"of {name!r}: its annotations cannot be read: {error}") from error
    returned = hints.pop("return", None)
    attempted: Any = next((hint for hint in hints.values() if get_origin(hint) is Attempt), None)
    if attempted is None or returned is None:
        raise InvalidArgument("handler", f"of {name!r} lacks annotations; write (attempt: Attempt[In]) -> Out")
    return get_args(attempted)[0], _final(returned)


def _final(returned: Any) -> Any:
    """What a chain yields, of ``Out``, ``Continue[Out]`` or a union of both."""
    members = get_args(returned) if get_origin(returned) in (Union, UnionType) else (returned,)
    finals: list[Any] = [get_args(member)[0] if get_origin(member) is Continue else member for member in members]
    return reduce(lambda left, right: left | right, finals)
