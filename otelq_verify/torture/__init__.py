"""
Torture: worker processes, clients and a database, faults for a while, and checks of the whole history.

``await torture(url, TorturePlan(seed=1))`` gives a ``TortureReport``; ``python -m otelq_verify torture URL`` prints it.
"""

from .plan import TorturePlan
from .report import TortureReport
from .run import torture

__all__ = ["TorturePlan", "TortureReport", "torture"]
