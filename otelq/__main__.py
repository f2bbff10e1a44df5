"""``python -m otelq`` is the command ``otelq``."""

from .cli.main import main

if __name__ == "__main__":
    main()
