"""Say what this Python lacks before `make setup` fails over it. Runs on any Python 3."""

import sys
from importlib.util import find_spec

if sys.version_info < (3, 11):  # noqa: UP036  an older Python must reach the message
    found = sys.version.split()[0]
    sys.exit(f"otelq needs Python 3.11 or newer; this is {found}. Try: make setup PYTHON=python3.12")

# Debian and Ubuntu split these two out of python3.
missing = [module for module in ("venv", "ensurepip") if find_spec(module) is None]
if missing:
    sys.exit(
        f"This Python lacks {' and '.join(missing)} and cannot make a virtual environment. "
        "On Debian and Ubuntu: apt install python3-venv. Or name another: make setup PYTHON=/path/to/python3"
    )
