"""SQLAlchemy for both SQL adapters: handles, and the ends of transactions, known by events."""
