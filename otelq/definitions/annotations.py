"""Reads the types of a job from the annotations of its handler."""

from __future__ import annotations

import inspect
from functools import reduce
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from ..errors import InvalidArgument
from .attempt import Attempt
from .continuation import Continue
from .handlers import inner_function
from .types import AnyHandler


def read_types(handler: AnyHandler, name: str) -> tuple[Any, Any]:
    """Return the input and the output type that a handler's annotations name."""
    # A decorator, a `partial` or a callable object has no annotations of its own: look at the function inside.
    try:
        hints = get_type_hints(inner_function(inspect.unwrap(cast(Any, handler))))
    except Exception as error:  # evaluating the annotations of an application may raise anything
        raise InvalidArgument("handler", f"of {name!r}: its annotations cannot be read: {error}") from error
    returned = hints.pop("return", None)
    attempted: Any = next((hint for hint in hints.values() if get_origin(hint) is Attempt), None)
    if attempted is None or returned is None:
        raise InvalidArgument("handler", f"of {name!r} lacks annotations; write (attempt: Attempt[In]) -> Out")
    return get_args(attempted)[0], _chain_output(returned)


def _chain_output(returned: Any) -> Any:
    """Return the output type of the chain, given ``Out``, ``Continue[Out]`` or a union of both."""
    members = get_args(returned) if get_origin(returned) in (Union, UnionType) else (returned,)
    finals: list[Any] = [get_args(member)[0] if get_origin(member) is Continue else member for member in members]
    return reduce(lambda left, right: left | right, finals)
