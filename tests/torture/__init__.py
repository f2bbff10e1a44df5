"""Torture: each fault by itself, short runs of all, and long ones by hand: `python -m tests.torture --help`."""
