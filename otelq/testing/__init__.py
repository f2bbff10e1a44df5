"""What helps to test with otelq, and to test an adapter for it."""

from .attempts import attempt

__all__ = ["attempt"]
