"""
What follows a commit: transitions become telemetry and hints, but only once they are known to be committed.

Transitions of otelq's own transactions are told at once. Those written in a caller's transaction wait for its end:
the driver says it, or the ids are looked up once the transaction is over. What cannot be known is counted.

Callbacks of the application can hang on the same commit; they run after what otelq itself has to tell.
"""

from .callbacks import after_commit
from .effects import Effects, OnCommitKnown
from .scopes import Callback

__all__ = ["Callback", "Effects", "OnCommitKnown", "after_commit"]
