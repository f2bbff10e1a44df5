"""The worker: four loops (fetcher, completer, keeper, reaper), and a task for each attempt."""

from .worker import Worker

__all__ = ["Worker"]
