"""Tests of the commands, and of the programs that the documentation shows."""
