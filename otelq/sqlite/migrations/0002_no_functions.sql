-- Drop the CHECKs that call json_valid: the statements that write payloads check them instead. Where the schema is not
-- trusted, SQLite does not let it call json_valid. A connection with the recommended `PRAGMA trusted_schema = OFF`
-- could read nothing in the file then, the application's own tables included.

-- Without this, a view of the application on these tables would make the rename fail.
PRAGMA legacy_alter_table = ON;

CREATE TABLE "{schema}_new_job" (
    chain_id      TEXT NOT NULL,
    position      INTEGER NOT NULL CHECK (position >= 0),
    type          TEXT NOT NULL,
    queue         TEXT NOT NULL,
    input         TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    trace         TEXT,
    meta          TEXT,
    amended_input TEXT,
    dedup_key     TEXT,
    dedup_lasting INTEGER,
    PRIMARY KEY (chain_id, position)
) STRICT;

INSERT INTO "{schema}_new_job" SELECT * FROM "{schema}_job";

DROP TABLE "{schema}_job";

ALTER TABLE "{schema}_new_job" RENAME TO "{schema}_job";

CREATE TABLE "{schema}_new_outcome" (
    chain_id   TEXT NOT NULL,
    position   INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    type       TEXT NOT NULL,
    status     TEXT NOT NULL CHECK (status IN ('completed', 'continued', 'failed', 'cancelled')),
    verb       TEXT NOT NULL,
    closed_at  INTEGER NOT NULL,
    priority   INTEGER NOT NULL,
    run_at     INTEGER NOT NULL,
    attempt    INTEGER NOT NULL,
    crashes    INTEGER NOT NULL,
    output     TEXT,
    error_type TEXT,
    error_text TEXT,
    token      INTEGER,
    worker     TEXT,
    claimed_at INTEGER,
    trace      TEXT,
    until      TEXT,
    on_failure TEXT,
    PRIMARY KEY (chain_id, position, generation)
) STRICT;

INSERT INTO "{schema}_new_outcome" SELECT * FROM "{schema}_outcome";

DROP TABLE "{schema}_outcome";

ALTER TABLE "{schema}_new_outcome" RENAME TO "{schema}_outcome";

-- For lists of failures, newest first, by job or by chain. All other lists use the primary key.
CREATE INDEX "{schema}_ended_badly" ON "{schema}_outcome" (status, chain_id, position)
    WHERE status IN ('failed', 'cancelled') AND generation = 0;

PRAGMA legacy_alter_table = OFF;
