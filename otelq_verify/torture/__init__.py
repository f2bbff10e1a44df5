"""
Torture: worker processes, clients and a database, a while of faults, and a judgement over all that happened.

``await torture(url, Plan(seed=1))`` gives a ``Report``; ``python -m otelq_verify torture URL`` prints it.
"""

from .plan import Plan
from .report import Report
from .run import torture

__all__ = ["Plan", "Report", "torture"]
