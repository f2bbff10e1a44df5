"""The state of a transaction that others may end, as known from its statements."""

from __future__ import annotations

from collections.abc import Callable

from ..ports.state import Ending
from ..savepoints import Control, ControlStatement, SavepointStack

Ended = Callable[[Ending], None]


class TransactionWatch:
    """The callbacks that wait for the end of one transaction, and what is known about that end."""

    def __init__(self) -> None:
        self.is_over = False
        self.is_aborted: bool | None = False
        """None if a statement was interrupted so that it is not known."""
        self._savepoints = SavepointStack[Ended]()

    @property
    def is_doubtful(self) -> bool:
        """Return whether this transaction may have ended unnoticed, and another begun."""
        return self._savepoints.is_uncertain

    @property
    def is_ended_by_hand(self) -> bool:
        """Return whether a COMMIT or ROLLBACK statement ended it, so that its owner cannot commit it any more."""
        return self._savepoints.ended_by is not None

    @property
    def end_by_commit(self) -> Ending:
        """Return the ending after a successful COMMIT, which in an aborted transaction was a rollback."""
        return {False: Ending.COMMITTED, True: Ending.ROLLED_BACK, None: Ending.UNKNOWN}[self.is_aborted]

    def add(self, ended: Ended) -> None:
        """Add a callback for the end of the last write."""
        self._savepoints.add(ended)

    def apply(self, step: ControlStatement) -> None:
        """Apply a statement that succeeded, and call back for the writes that it took back."""
        # The one statement that ends the aborted state without ending the transaction.
        if step.control is Control.ROLLBACK_TO:
            self.is_aborted = False
        for ended in self._savepoints.apply(step):
            ended(Ending.ROLLED_BACK)

    def end(self, ending: Ending) -> None:
        """Call back with the ending; the first call counts."""
        if not self.is_over:
            self.is_over = True
            for ended in self._savepoints.take_all():
                ended(Ending.UNKNOWN if self.is_doubtful else ending)
