"""Help to test an application that uses otelq: attempts without a database; in ``otlp``, an OTLP receiver."""

from .attempts import attempt

__all__ = ["attempt"]
