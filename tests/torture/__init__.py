"""Longer runs, by hand: `python -m tests.torture.crash --help`."""
