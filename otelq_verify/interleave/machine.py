"""The machine: Hypothesis chooses the actors, their operations, and which of them takes the next step."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Final, NamedTuple, TypeVar, cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from otelq.model import Verb
from otelq.ports.state import StateAdapter

from ..keyboard import run_on
from .end_checks import check_end
from .operations import ALONE, ANYWHERE, Targets, settled_world
from .stage import Stage

T = TypeVar("T")
MOST: Final = 4
"""The most actors at a time: few, so that they meet."""
NUMBER: Final = st.integers(0, 15)


class ActorPlan(NamedTuple):
    """
    The plan of an actor.

    Each operation is three numbers: which operation of this run it is, and two that pick its target.
    """

    operations: Sequence[tuple[int, int, int]]
    is_worker: bool = False
    inside: bool = False
    commits: bool = True


def _operations(most: int) -> st.SearchStrategy[list[tuple[int, int, int]]]:
    return st.lists(st.tuples(NUMBER, NUMBER, NUMBER), min_size=1, max_size=most)


NEVER: Final = st.just(False)
ALWAYS: Final = st.just(True)
ENTRY: Final = st.one_of(
    st.builds(ActorPlan, _operations(3), NEVER, ALWAYS, st.sampled_from([True, True, False])),
    st.builds(ActorPlan, _operations(2), ALWAYS, NEVER, ALWAYS),
    st.builds(ActorPlan, _operations(2), NEVER, NEVER, ALWAYS),
)
FEW: Final = st.lists(st.sampled_from(list(ANYWHERE)), min_size=1, max_size=4, unique=True)


class InterleavingMachine(RuleBasedStateMachine):
    """
    Transactions that are open at once, of which one takes a step at a time.

    Whatever Hypothesis draws is possible in every state, so that a lock that is released a moment earlier or later does
    not change what it draws next.
    """

    seen: ClassVar[Counter[Verb]] = Counter()
    """The number of uses of each verb, in all runs of a bound machine."""
    runner: ClassVar[asyncio.Runner]
    stage: ClassVar[Stage]
    schema: ClassVar[str]
    world: Targets
    names: Sequence[str]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return run_on(self.runner, work)

    @initialize(
        names=FEW,
        focus=st.lists(NUMBER, min_size=1, max_size=4),
        entries=st.lists(ENTRY, min_size=2, max_size=MOST),
    )
    def begin(self, names: list[str], focus: list[int], entries: list[ActorPlan]) -> None:
        """Begin a run with a few verbs of clients, aimed at a few chains, so that they meet."""
        self.names = names
        self.run(self.stage.clear())
        self.world = self.run(settled_world(self.stage.observer))
        self.world.aim_at(focus)
        for entry in entries:
            self.enter(entry)

    @rule(entry=ENTRY)
    def enter(self, entry: ActorPlan) -> None:
        """Add an actor: with one of a worker's verbs or of a client's, or with a few in one transaction."""
        if len(self.stage.open_actors) < MOST:
            makers = ALONE if entry.is_worker else [ANYWHERE[name] for name in self.names]
            operations = [
                makers[which % len(makers)](self.world, first, second) for which, first, second in entry.operations
            ]
            self.run(self.stage.enter(*operations, inside=entry.inside, commits=entry.commits))

    @rule(numbers=st.lists(st.integers(0, MOST - 1), min_size=1, max_size=8))
    def go_on(self, numbers: list[int]) -> None:
        """Let some of the stopped actors take a step, one after the other."""
        for number in numbers:
            if ready := self.stage.ready:
                self.run(self.stage.step(ready[number % len(ready)]))

    @rule(number=st.integers(0, MOST - 1))
    def push(self, number: int) -> None:
        """Let one actor go on as far as it can."""
        if ready := self.stage.ready:
            self.run(self.stage.push(ready[number % len(ready)]))

    def teardown(self) -> None:
        try:
            if hasattr(self, "world"):
                self.run(self._end())
        finally:
            self.run(self.stage.clear())

    async def _end(self) -> None:
        await self.stage.end()
        await check_end(self.stage, self.world.made, schema=self.schema)
        self.seen.update(change.verb for actor in self.stage.actors for change in actor.made)


@contextmanager
def machine_on(factory: Callable[[], StateAdapter], *, schema: str = "otelq") -> Generator[type[InterleavingMachine]]:
    """Yield the machine on the store of the adapters that ``factory`` makes. All its runs share their connections."""
    with asyncio.Runner() as runner:
        stage = Stage(factory)
        try:
            runner.run(stage.open())
            members = {"runner": runner, "stage": stage, "schema": schema, "seen": Counter[Verb]()}
            bound = type(InterleavingMachine.__name__, (InterleavingMachine,), members)
            yield cast("type[InterleavingMachine]", bound)
        finally:
            runner.run(stage.close())
