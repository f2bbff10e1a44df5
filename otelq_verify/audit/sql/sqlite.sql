-- What happened to rows.
CREATE TABLE "{schema}_audit" (
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    at   INTEGER NOT NULL,
    name TEXT NOT NULL,
    op   TEXT NOT NULL,
    old  TEXT,
    new  TEXT
) STRICT
