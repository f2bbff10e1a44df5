"""The scenarios, by their matter."""

from .attempts import WORKING
from .blockers import WAITING
from .requests import REQUESTING
from .starts import STARTING
from .transactions import INSIDE

SCENARIOS = (*STARTING, *WORKING, *WAITING, *REQUESTING, *INSIDE)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}

__all__ = ["BY_NAME", "SCENARIOS"]
