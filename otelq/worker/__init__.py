"""The worker: four loops (fetcher, completer, keeper, reaper), and a task for each attempt."""

from .health import WorkerHealth
from .worker import Worker, default_name

__all__ = ["Worker", "WorkerHealth", "default_name"]
