"""The queues to which a worker is limited, and the job types that remain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..codec import check_line
from ..definitions import LONGEST_NAME, Definition
from ..errors import InvalidArgument


def check_queues(queues: Iterable[str] | None) -> tuple[str, ...]:
    """Return the names of queues, each once; an empty tuple for None, which is all of them."""
    if queues is None:
        return ()
    if isinstance(queues, str) or not isinstance(queues, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise InvalidArgument("queues", f"is {queues!r}; give several, as in a list")
    given = tuple(dict.fromkeys(check_line(queue, argument="queues", longest=LONGEST_NAME) for queue in queues))
    if not given:
        raise InvalidArgument("queues", "is empty; name queues, or leave it out to serve all of them")
    return given


def in_queues(definitions: Mapping[str, Definition], queues: tuple[str, ...]) -> Mapping[str, Definition]:
    """
    Return the definitions whose job type is in one of the queues; all of them if none is named.

    Raises:
        InvalidArgument: no job type is in one of the queues.
    """
    if not queues:
        return definitions
    known = {definition.job_type.queue for definition in definitions.values()}
    for queue in queues:
        if queue not in known:
            raise InvalidArgument("queues", f"{queue!r} has no job type; there are {', '.join(sorted(known))}")
    return {name: definition for name, definition in definitions.items() if definition.job_type.queue in queues}
