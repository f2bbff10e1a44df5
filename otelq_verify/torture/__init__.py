"""
Torture: worker processes, clients and a database, a while of faults, and a judgement over all that happened.

``await torture(url, TorturePlan(seed=1))`` gives a ``TortureReport``; ``python -m otelq_verify torture URL`` prints it.
"""

from .plan import TorturePlan
from .report import TortureReport
from .run import torture

__all__ = ["TorturePlan", "TortureReport", "torture"]
