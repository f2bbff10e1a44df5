"""What users test with: attempts for handlers, and the kit that holds adapters to the ports' contracts."""

from .attempts import attempt

__all__ = ["attempt"]
