"""Rules that are broken on purpose, one at a time, and the tests that must notice."""
