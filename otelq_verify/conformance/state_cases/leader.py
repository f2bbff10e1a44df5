"""Leaders: at most one holder at a time, by the database's clock."""

from __future__ import annotations

import asyncio

from otelq.model import Leadership

from ..cases import Theme
from ..kit import Kit, equal, true

leader = Theme[Kit]("leader")


async def _lead(kit: Kit, holder: str, *, name: str = "sweep", seconds: float = 30) -> Leadership | None:
    return await kit.adapter.lead(name, holder=holder, seconds=seconds, now=kit.now)


async def _leads(kit: Kit, holder: str, *, name: str = "sweep", seconds: float = 30) -> Leadership:
    """Return the leadership that must be had."""
    found = await _lead(kit, holder, name=name, seconds=seconds)
    assert found is not None, f"{holder} does not get the leadership {name!r}, which is free"
    return found


async def _resign(kit: Kit, leadership: Leadership) -> None:
    await kit.adapter.resign(leadership, now=kit.now)


@leader.case
async def is_had_by_the_first(kit: Kit) -> None:
    """The first to ask has the leadership, for the time that it asked for."""
    found = await _leads(kit, "a", seconds=12.5)
    equal((found.name, found.holder, found.until), ("sweep", "a", kit.after(12.5)), "name, holder and end")
    true(found.token > 0, f"the token is {found.token}")


@leader.case
async def excludes_others(kit: Kit) -> None:
    """Others get none until its time is over, and change nothing by asking."""
    first = await _leads(kit, "a")
    kit.wait(29)
    equal(await _lead(kit, "b"), None, "the answer to another")
    equal((await _leads(kit, "a")).token, first.token, "the token of the holder")


@leader.case
async def is_free_when_its_time_is_over(kit: Kit) -> None:
    """When the time is over the next to ask has it, with a higher token, and the one before is excluded."""
    first = await _leads(kit, "a")
    kit.wait(30)
    second = await _leads(kit, "b")
    true(second.token > first.token, f"the token {second.token} is not higher than {first.token}")
    equal(second.until, kit.after(30), "its end")
    equal(await _lead(kit, "a"), None, "the answer to the one before")


@leader.case
async def is_extended_by_its_holder(kit: Kit) -> None:
    """The holder extends it from now on, under the same token, and may shorten it too."""
    first = await _leads(kit, "a")
    kit.wait(20)
    again = await _leads(kit, "a")
    equal((again.token, again.until), (first.token, kit.after(30)), "token and end")
    kit.wait(20)
    equal(await _lead(kit, "b"), None, "the answer to another after the time of the first call")
    await _leads(kit, "a", seconds=1)
    kit.wait(2)
    await _leads(kit, "b")


@leader.case
async def is_had_anew_by_a_holder_that_was_late(kit: Kit) -> None:
    """A holder that extends too late gets a higher token: its time was over, whether or not another took it."""
    first = await _leads(kit, "a")
    kit.wait(31)
    second = await _leads(kit, "a")
    true(second.token > first.token, f"the token {second.token} is not higher than {first.token}")


@leader.case
async def is_free_when_its_holder_resigns(kit: Kit) -> None:
    """A resigned leadership is free at once, and the next token is higher all the same; twice is fine."""
    first = await _leads(kit, "a")
    await _resign(kit, first)
    await _resign(kit, first)
    second = await _leads(kit, "b")
    true(second.token > first.token, f"the token {second.token} is not higher than {first.token}")


@leader.case
async def is_resigned_by_its_holder_alone(kit: Kit) -> None:
    """A former holder that resigns, even under its own later name, ends nothing of the present one."""
    first = await _leads(kit, "a")
    kit.wait(31)
    second = await _leads(kit, "b")
    await _resign(kit, first)
    equal(await _lead(kit, "c"), None, "the answer to a third after the first resigned")
    await _resign(kit, Leadership("sweep", "b", first.token, second.until))
    await _resign(kit, Leadership("sweep", "a", second.token, second.until))
    await _resign(kit, Leadership("other", "b", second.token, second.until))
    equal(await _lead(kit, "c"), None, "the answer to a third after resignations that fit by half")


@leader.case
async def belongs_to_a_name(kit: Kit) -> None:
    """Leaderships of different names have different holders, and each its own tokens."""
    await _leads(kit, "a", name="sweep")
    await _leads(kit, "b", name="count; 'drop'")
    equal(await _lead(kit, "a", name="count; 'drop'"), None, "the answer to the holder of another name")


@leader.case
async def is_had_by_one_of_many(kit: Kit) -> None:
    """Of many that ask at the same time one has it, whether it is new or its time is over."""
    for _ in range(2):
        found = await asyncio.gather(*(_lead(kit, f"holder {n}") for n in range(20)))
        equal(sum(each is not None for each in found), 1, "the number of holders")
        kit.wait(31)


@leader.case
async def is_extended_while_others_ask(kit: Kit) -> None:
    """A holder keeps it however many others ask meanwhile."""
    first = await _leads(kit, "a")
    for _ in range(5):
        kit.wait(20)
        asked = await asyncio.gather(*(_lead(kit, holder) for holder in ("b", "c", "a", "d", "e")))
        equal([each and each.token for each in asked], [None, None, first.token, None, None], "the answers")
