"""Jobs kept in this process: for tests, and for what may be lost with it."""
