"""
The effects of a commit: telemetry, hints, and callbacks of the application.

Transitions of otelq's own transactions are reported at once. Those written in a caller's transaction are pending until
it ends: the driver reports the end, or otelq looks the transitions up afterwards. If that has no answer either, they
are counted as unknown.

Callbacks of the application run after the telemetry and the hints of the same commit.
"""

from .callbacks import after_commit
from .effects import Effects, OnCommitKnown
from .scopes import Callback

__all__ = ["Callback", "Effects", "OnCommitKnown", "after_commit"]
