"""What is known of a transaction that somebody else may end, savepoints and all."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from ..ports.state import Ending

Ended = Callable[[Ending], None]

_CONTROL: Final = re.compile(
    r"""(?ix) ^ \s* (?:
        (?P<commit> commit | end) (?: \s+ (?: work | transaction))? (?: \s+ and \s+ (?:no \s+)? chain)?
      | (?P<rollback> rollback | abort) (?: \s+ (?: work | transaction))? (?: \s+ and \s+ (?:no \s+)? chain)?
      | rollback (?: \s+ (?: work | transaction))? \s+ to (?: \s+ savepoint)? \s+ (?P<back_to> {name})
      | savepoint \s+ (?P<savepoint> {name})
      | release (?: \s+ savepoint)? \s+ (?P<release> {name})
    ) \s* $""".replace("{name}", r"""(?:"(?:[^"]|"")+"|[^\s"]+)""")
)
_MAY_CONTROL: Final = re.compile(r"(?i)\b(commit|end|rollback|abort|savepoint|release|prepare\s+transaction)\b")
_COMMENTS: Final = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


class Control(NamedTuple):
    """A statement that ends a transaction or moves between savepoints; ``maybe`` if it may be one among others."""

    kind: str
    name: str = ""


def control(query: str) -> Control | None:
    """What a statement does to the transaction that it is in; None if nothing."""
    text = _COMMENTS.sub(" ", query).strip().rstrip(";")
    if found := _CONTROL.match(text):
        return Control(found.lastgroup or "", _folded(found[found.lastgroup or 0]))
    return Control("maybe") if ";" in text and _MAY_CONTROL.search(text) else None


def _folded(name: str) -> str:
    """A name as the server compares it."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


class Account:
    """
    Who waits for the end of what was written in one transaction, and what is known about that end.

    What was written belongs to the innermost savepoint of that moment; rolling back to a savepoint that nobody told
    us of takes all with it.
    """

    def __init__(self) -> None:
        self.is_over = False
        self.is_aborted: bool | None = False
        """None: a statement broke off in a way that leaves this open."""
        self.is_doubtful = False
        """One transaction may have ended unheard and another begun: whose end comes next is not known."""
        self.is_ended_by_hand = False
        """Its user sent a COMMIT or a ROLLBACK past whoever began it, who cannot commit it any more."""
        self._frames: list[tuple[str | None, list[Ended]]] = [(None, [])]

    def add(self, ended: Ended) -> None:
        """Somebody waits for the end of what was written last."""
        self._frames[-1][1].append(ended)

    def end(self, ending: Ending) -> None:
        """The transaction is over; whoever comes later changes nothing."""
        if not self.is_over:
            self.is_over = True
            self._tell(Ending.UNKNOWN if self.is_doubtful else ending, since=0)

    @property
    def end_by_commit(self) -> Ending:
        """How it ends when the server says yes to a COMMIT; of an aborted transaction, it then made a rollback."""
        return {False: Ending.COMMITTED, True: Ending.ROLLED_BACK, None: Ending.UNKNOWN}[self.is_aborted]

    def move(self, step: Control) -> None:
        """A savepoint was set, released, or gone back to."""
        match step.kind:
            case "savepoint":
                self._frames.append((step.name, []))
            case "release":
                self._release(step.name)
            case _:
                self._back_to(step.name)

    def _release(self, name: str) -> None:
        start = self._find(name)
        released = [ended for _, frame in self._frames[start:] for ended in frame]
        self._frames[start:] = []
        self._base().extend(released)

    def _back_to(self, name: str) -> None:
        start = self._find(name)
        self.is_aborted = False
        # Where a savepoint may have been set unheard, what was written before it may be there still.
        self._tell(Ending.ROLLED_BACK if start or not self.is_doubtful else Ending.UNKNOWN, since=start)
        self._frames.append((name, []) if start else (None, []))

    def _tell(self, ending: Ending, *, since: int) -> None:
        told = [ended for _, frame in self._frames[since:] for ended in frame]
        self._frames[since:] = []
        for ended in told:
            ended(ending)

    def _base(self) -> list[Ended]:
        if not self._frames:
            self._frames.append((None, []))
        return self._frames[-1][1]

    def _find(self, name: str) -> int:
        """The frame of the innermost savepoint of this name; the bottom for one from before our time."""
        return next((i for i in range(len(self._frames) - 1, 0, -1) if self._frames[i][0] == name), 0)
