"""The scenarios, by their matter."""

from .inside import INSIDE
from .requesting import REQUESTING
from .starting import STARTING
from .waiting import WAITING
from .working import WORKING

SCENARIOS = (*STARTING, *WORKING, *WAITING, *REQUESTING, *INSIDE)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}

__all__ = ["BY_NAME", "SCENARIOS"]
