"""What runs jobs: five loops, and one task for every attempt."""

from .worker import Worker

__all__ = ["Worker"]
