-- The workers that run now, one row each; and the leaders of tasks that one worker does for all. Lists are JSON text.
CREATE TABLE "{schema}_worker" (
    id         TEXT NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    host       TEXT NOT NULL,
    pid        INTEGER NOT NULL,
    version    TEXT NOT NULL,
    queues     TEXT NOT NULL,
    types      TEXT NOT NULL,
    refused    TEXT NOT NULL,
    slots      INTEGER NOT NULL,
    running    INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL
) STRICT;

-- The row of a leader stays when its time is over, so that the token of the next one is higher.
CREATE TABLE "{schema}_leader" (
    name   TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    token  INTEGER NOT NULL CHECK (token BETWEEN 1 AND 1000000000000000),
    until  INTEGER NOT NULL
) STRICT;

-- When an outcome was put aside by a redrive: the proof that the redrive was committed. It is null for outcomes that an
-- older otelq put aside.
ALTER TABLE "{schema}_outcome" ADD COLUMN redriven_at INTEGER;

-- A chain holds its dedup key under each name of its type. The job keeps the other names, for a redrive, and the table
-- of keys has a row for each.
ALTER TABLE "{schema}_job" ADD COLUMN dedup_aliases TEXT;

CREATE TABLE "{schema}_new_dedup_key" (
    type     TEXT NOT NULL,
    key      TEXT NOT NULL,
    chain_id TEXT NOT NULL,
    taken_at INTEGER NOT NULL,
    lasting  INTEGER NOT NULL,
    PRIMARY KEY (type, key)
) STRICT, WITHOUT ROWID;

INSERT INTO "{schema}_new_dedup_key" SELECT * FROM "{schema}_dedup_key";

-- Without this, a view of the application on this table would make the rename fail.
PRAGMA legacy_alter_table = ON;

DROP TABLE "{schema}_dedup_key";

ALTER TABLE "{schema}_new_dedup_key" RENAME TO "{schema}_dedup_key";

PRAGMA legacy_alter_table = OFF;

CREATE INDEX "{schema}_key_holder" ON "{schema}_dedup_key" (chain_id);
