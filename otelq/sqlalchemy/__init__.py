"""What both SQL adapters know of SQLAlchemy: its handles, and how its events tell of the end of a transaction."""
