"""The faults of a torture run. Each undoes itself, and is counted with what it hit."""

from __future__ import annotations

from typing import Final

from .database import SERVING
from .fault import Fault
from .network import Direct, Network, Proxy, network_for
from .processes import Kill, Suspend
from .replacements import REPLACING
from .server import Server
from .storms import STORMS

FAULTS: Final[tuple[Fault, ...]] = (
    Kill("kill one", "one"),
    Kill("kill several", "several"),
    Kill("kill all", "all"),
    Suspend("stop past the lease", past_lease=True),
    Suspend("stop for a moment", past_lease=False),
    *STORMS,
    *SERVING,
    *REPLACING,
)

__all__ = ["FAULTS", "Direct", "Fault", "Kill", "Network", "Proxy", "Server", "network_for"]
