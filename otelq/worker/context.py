"""The settings and resources that all parts of one worker share."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar, cast

from ..client import Client, Engine
from ..definitions import Definition, Middleware
from ..errors import InvalidArgument
from ..loop import Outage
from .process_pool import ProcessPool
from .thread_pool import ThreadPool

X = TypeVar("X")


class Provided:
    """Objects that handlers ask for by type: settings, HTTP clients, mailers."""

    def __init__(self, objects: Sequence[object], *, outer: Provided | None = None) -> None:
        self._by_type: dict[type, object] = {}
        self._outer = outer
        if isinstance(objects, str) or not isinstance(objects, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            raise InvalidArgument("provide", f"is {objects!r}; give several, as in a list")
        for value in objects:
            if type(value) in self._by_type:
                raise InvalidArgument(
                    "provide", f"holds two of {type(value).__qualname__}; wrap one in a type of its own"
                )
            self._by_type[type(value)] = value

    def put(self, kind: type, value: object) -> None:
        """Store the object under this type, in place of the one that ``get`` returned before."""
        self._by_type[kind] = value

    def get(self, kind: type[X]) -> X:
        """
        Return the object of this type, else the only one of a subclass, else the one of the outer collection.

        Raises:
            InvalidArgument: there is none, or there are several of subclasses.
        """
        found = self._by_type.get(kind)
        if found is None:
            candidates = [value for value in self._by_type.values() if isinstance(value, kind)]
            if not candidates and self._outer is not None:
                return self._outer.get(kind)
            if len(candidates) != 1:
                problem = "nothing" if not candidates else f"{len(candidates)} objects"
                raise InvalidArgument("kind", f"{problem} of {kind.__qualname__} provided; see Worker(provide=[...])")
            found = candidates[0]
        return cast(X, found)


SAFETY_POLL: Final = 30.0
"""Seconds between two searches for jobs while hints arrive: for a hint that was lost."""
POLL: Final = 2.0
"""Seconds between two searches where nothing tells of the jobs of other processes."""


def _new_id() -> str:
    return secrets.token_hex(8)


@dataclass(slots=True)
class LiveWorkers:
    """The live workers of all processes, as the last beat of this one found them."""

    count: int = 1


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """The settings of a worker, its client and its resources; ``grace`` and intervals are in seconds."""

    client: Client
    engine: Engine
    definitions: Mapping[str, Definition]
    queues: tuple[str, ...]
    """The queues to which the definitions were limited; empty for all."""
    middleware: Sequence[Middleware]
    provided: Provided
    name: str
    give_up: Callable[[Exception | KeyboardInterrupt], None]
    """Ends the worker's block with this error, or with a KeyboardInterrupt that was raised in a handler."""
    concurrency: int
    grace: float
    poll_interval: float | None
    reap_interval: float | None
    max_crashes: int
    undecodable_for: float
    """Seconds for which a job whose payloads do not decode is tried again."""
    id: str = field(default_factory=_new_id)
    """A random text, another one for each run of the worker."""
    refused: dict[str, str] = field(default_factory=dict[str, str])
    """The types that the worker has stopped to claim, with the reason for each; ``refuse`` adds one."""
    on_refused: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    """Called after each change of ``refused``."""
    threads: ThreadPool = field(default_factory=ThreadPool)
    processes: ProcessPool = field(default_factory=ProcessPool)
    outage: Outage = field(default_factory=Outage)
    """What the loops share to log that the database keeps them from working once, not once each."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a stop begins: no more jobs are claimed, and handlers are asked to finish."""
    graceless: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a stop has no grace, or none any more: an attempt that begins during the stop is cancelled too."""
    drained: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the stop no longer waits for attempts: lost commits are not looked up any more."""
    live_workers: LiveWorkers = field(default_factory=LiveWorkers)
    ended: Counter[str] = field(default_factory=Counter[str])
    """How many attempts have ended, by the name of their outcome."""

    def refuse(self, names: Iterable[str], reason: str) -> None:
        """Stop claiming a type, by all its names, for a reason that is shown to people."""
        self.refused.update(dict.fromkeys(names, reason))
        self.engine.served.subtract(names)
        for notify in self.on_refused:
            notify()

    @property
    def served(self) -> Sequence[str]:
        """Return the names of the job types that this worker still claims."""
        return tuple(name for name in self.definitions if name not in self.refused)

    @property
    def longest_sleep(self) -> float:
        """Return the seconds until the next search for jobs at the latest: few where hints of others do not arrive."""
        if self.poll_interval is not None:
            return self.poll_interval
        return SAFETY_POLL if self.engine.hears_others else POLL

    def lease_limit(self, definition: Definition) -> float | None:
        """
        Return the seconds after a claim for which the lease may be renewed: the attempt's timeout plus the grace.

        A handler that cleans up after its timeout keeps its lease meanwhile, so that it ends as timed out, not lost.
        """
        return None if definition.timeout is None else definition.timeout + self.grace

    @property
    def types(self) -> Sequence[str]:
        """Return all names of the job types that this worker runs, with their aliases."""
        return tuple(self.definitions)
