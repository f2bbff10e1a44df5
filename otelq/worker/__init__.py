"""The worker: four loops, and a task for each attempt."""

from .worker import Worker

__all__ = ["Worker"]
