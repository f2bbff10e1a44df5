"""The content of hints: wherever they arrive, they arrive as they were published."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from otelq.definitions import LONGEST_NAME
from otelq.ports.notify import Hint, HintKind

from ..cases import Theme
from ..notify_kit import NotifyKit

content = Theme[NotifyKit]("content")

A_YEAR = 365 * 86400.0
SUBJECTS = {
    "a_name_in_many_scripts": "Grüße.提醒.δοκιμή.🔔 ",
    "a_name_with_marks": "a:b|c;d,e\\f\"g'h/i%j{k}l\tm\nn ",
    "the_longest_name": "字" * (LONGEST_NAME - 36),
}
"""Beginnings of job types' names; what makes them unlike any other follows."""
DELAYS = {"none": 0.0, "a_millisecond": 0.001, "a_fraction": 1 / 3, "a_century": 100 * A_YEAR}


async def _arrives(kit: NotifyKit, hint: Hint) -> None:
    await kit.arrive([hint], *(kit.listen(at) for at in kit.everywhere()))


def _kind(kind: HintKind) -> Callable[[NotifyKit], Awaitable[None]]:
    return lambda kit: _arrives(kit, kit.hint(kind))


def _subject(subject: str) -> Callable[[NotifyKit], Awaitable[None]]:
    return lambda kit: _arrives(kit, kit.hint(subject=subject))


def _delay(delay: float) -> Callable[[NotifyKit], Awaitable[None]]:
    return lambda kit: _arrives(kit, kit.hint(delay=delay))


for one in HintKind:
    content.add(f"a_hint_that_is_{one}", f"A hint of the kind {one!r} arrives with its subject.", _kind(one))
for name, beginning in SUBJECTS.items():
    about = name.replace("_", " ")
    content.add(name, f"A hint about {about} arrives with its subject unchanged.", _subject(beginning))
for name, seconds in DELAYS.items():
    content.add(f"a_delay_of_{name}", f"A hint with a delay of {seconds:g} seconds arrives with it.", _delay(seconds))


@content.case
async def no_subject(kit: NotifyKit) -> None:
    """A hint without a subject arrives, as that of a change has none."""
    await _arrives(kit, Hint(HintKind.CHANGED, ""))


@content.case
async def every_hint_of_a_batch(kit: NotifyKit) -> None:
    """Every hint of a batch arrives."""
    batch = [kit.hint(kind, delay=float(delay)) for kind in HintKind for delay in range(5)]
    await kit.arrive(batch, *(kit.listen(at) for at in kit.everywhere()))
