"""Say what this Python lacks before `make setup` fails over it. Runs on any Python 3."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  an older Python must reach the message, not a syntax error
    sys.exit("otelq needs Python 3.11 or newer; this is {}.{}. Try: make setup PYTHON=python3.12".format(*sys.version_info))

try:
    import ensurepip  # noqa: F401  Debian splits it out of python3
    import venv  # noqa: F401
except ImportError as error:
    sys.exit(
        "This Python has no '{}' module and cannot make a virtual environment. On Debian and Ubuntu: "
        "apt install python3-venv. Or name another Python: make setup PYTHON=/path/to/python3".format(error.name)
    )
