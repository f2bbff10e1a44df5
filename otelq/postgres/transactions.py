"""What is known of a transaction that somebody else may end, savepoints and all."""

from __future__ import annotations

from collections.abc import Callable

from ..ports.state import Ending
from ..savepoints import Control, Savepoints, Step

Ended = Callable[[Ending], None]


class TransactionWatch:
    """Who waits for the end of what was written in one transaction, and what is known about that end."""

    def __init__(self) -> None:
        self.is_over = False
        self.is_aborted: bool | None = False
        """None: a statement broke off in a way that leaves this open."""
        self._savepoints = Savepoints[Ended]()

    @property
    def is_doubtful(self) -> bool:
        """Whether one transaction may have ended unheard and another begun."""
        return self._savepoints.is_doubtful

    @property
    def is_ended_by_hand(self) -> bool:
        """Whether its user sent a COMMIT or a ROLLBACK past whoever began it, who cannot commit it any more."""
        return self._savepoints.ended_by is not None

    @property
    def end_by_commit(self) -> Ending:
        """How it ends when the server says yes to a COMMIT; of an aborted transaction, it then made a rollback."""
        return {False: Ending.COMMITTED, True: Ending.ROLLED_BACK, None: Ending.UNKNOWN}[self.is_aborted]

    def add(self, ended: Ended) -> None:
        """Somebody waits for the end of what was written last."""
        self._savepoints.add(ended)

    def hear(self, step: Step) -> None:
        """Follow a statement that succeeded, and tell of what it took back."""
        if step.control is Control.ROLLBACK_TO:
            self.is_aborted = False
        for ended in self._savepoints.hear(step):
            ended(Ending.ROLLED_BACK)

    def end(self, ending: Ending) -> None:
        """The transaction is over; whoever comes later changes nothing."""
        if not self.is_over:
            self.is_over = True
            for ended in self._savepoints.take_all():
                ended(Ending.UNKNOWN if self.is_doubtful else ending)
