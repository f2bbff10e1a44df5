"""What goes wrong in a torture run, each undone by itself and counted with what it hit."""

from __future__ import annotations

from typing import Final

from .killing import Kill, Stop
from .network import Direct, Network, Proxy, network_for
from .replacing import REPLACING
from .scenery import Fault
from .server import Server
from .serving import SERVING
from .storms import STORMS

FAULTS: Final[tuple[Fault, ...]] = (
    Kill("kill one", "one"),
    Kill("kill several", "several"),
    Kill("kill all", "all"),
    Stop("stop past the lease", past_lease=True),
    Stop("stop for a moment", past_lease=False),
    *STORMS,
    *SERVING,
    *REPLACING,
)

__all__ = ["FAULTS", "Direct", "Fault", "Kill", "Network", "Proxy", "Server", "network_for"]
