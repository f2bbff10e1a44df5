"""Scenarios: a verb, the world that it is made in, and the promise of the port for a repetition."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from otelq.errors import OtelqError, Unavailable
from otelq.model import Claimed, NewJob, Transition, Verb
from otelq.ports.state import StateAdapter

from ..conformance.kit import Kit
from ..drivers import Application
from .canceller import Canceller


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The chains, leases and tokens that a verb is made on. It is sent to another process."""

    jobs: tuple[NewJob, ...] = ()
    """Chains that are to be started."""
    held: tuple[Claimed, ...] = ()
    """Jobs under lease."""
    chains: tuple[str, ...] = ()
    tokens: tuple[int, ...] = ()
    """Fresh ones."""


class ScenarioKit(Kit):
    """A kit with a fixed time and a table of the application."""

    def __init__(
        self, adapter: StateAdapter, *, now: datetime, ledger: str, application: Application | None = None
    ) -> None:
        super().__init__(adapter)
        self.now = now
        self.ledger = ledger
        """A table with the columns ``chain_id``, ``position`` and ``token``."""
        self.application = application
        """Begins callers' transactions; there only where the verb is made."""
        self.confirmed: list[Transition] = []
        """The transitions of a cancelled verb that are known to be committed."""
        self.inquiry: Callable[[], Awaitable[None]] | None = None
        """Finds out what became of it, where that can be known."""


Arrange = Callable[[ScenarioKit], Awaitable[World]]
Act = Callable[[ScenarioKit, World], Awaitable[Sequence[Transition]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """
    A verb to be interrupted.

    ``act`` makes it, and ``repeat`` makes it again where it was answered with ``Unavailable``. If ``is_same``, the port
    promises that this gives what the verb would have given; else it may be refused with one of ``refusals``, for it
    was done after all, or do what is left.
    """

    name: str
    arrange: Arrange
    act: Act
    repeat: Act | None = None
    is_same: bool = False
    refusals: tuple[type[OtelqError], ...] = ()
    is_whole: bool = True
    """Whether the verb is done as a whole or not at all; if not, each of its chains is."""
    writes: bool = False
    """Whether it writes in the ledger."""
    silent: frozenset[Verb] = frozenset()
    """Verbs that it makes without a transition to show for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrangedScenario:
    """A scenario that is arranged, with all that is needed to make its verb."""

    scenario: Scenario
    world: World
    now: datetime
    ledger: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbResult:
    """The result of a verb, as its caller sees it."""

    transitions: tuple[Transition, ...] = ()
    was_repeated: bool = False
    problem: str = ""


async def perform(
    play: ArrangedScenario, adapter: StateAdapter, application: Application, canceller: Canceller
) -> VerbResult:
    """Make the verb. If its result is unknown, make it again, once."""
    scene = ScenarioKit(adapter, now=play.now, ledger=play.ledger, application=application)
    try:
        made = await canceller.run(play.scenario.act(scene, play.world))
    except Unavailable:
        return await _repeat(play, scene)
    except asyncio.CancelledError:
        if not canceller.has_struck:
            raise
        return await _find_out(play, scene)
    except Exception as error:
        return VerbResult(problem=f"raises {_named(error)}")
    return VerbResult(transitions=tuple(made), problem=canceller.problem)


async def _find_out(play: ArrangedScenario, scene: ScenarioKit) -> VerbResult:
    """Find out if a cancelled verb was committed; make it again unless that is certain."""
    if scene.inquiry is not None:
        await scene.inquiry()
    return VerbResult(transitions=tuple(scene.confirmed)) if scene.confirmed else await _repeat(play, scene)


async def _repeat(play: ArrangedScenario, scene: ScenarioKit) -> VerbResult:
    scenario = play.scenario
    try:
        made = await (scenario.repeat or scenario.act)(scene, play.world)
    except scenario.refusals:
        return VerbResult(was_repeated=True)
    except Exception as error:
        return VerbResult(was_repeated=True, problem=f"raises, made again, {_named(error)}")
    return VerbResult(transitions=tuple(made), was_repeated=True)


def _named(error: Exception) -> str:
    kind = type(error)
    return f"{kind.__module__}.{kind.__qualname__}: {error}"
