-- The request of a job; written once, never changed.
CREATE TABLE "{schema}_job" (
    chain_id   TEXT NOT NULL,
    position   INTEGER NOT NULL CHECK (position >= 0),
    type       TEXT NOT NULL,
    queue      TEXT NOT NULL,
    input      TEXT NOT NULL CHECK (json_valid(input)),
    created_at INTEGER NOT NULL,
    trace      TEXT,
    meta       TEXT CHECK (meta IS NULL OR json_valid(meta)),
    PRIMARY KEY (chain_id, position)
) STRICT;

-- The one hot row of an open chain: its tail. Claimed, leased and moved on in place; deleted when the chain closes.
CREATE TABLE "{schema}_open_job" (
    chain_id         TEXT PRIMARY KEY,
    position         INTEGER NOT NULL,
    type             TEXT NOT NULL,
    queue            TEXT NOT NULL,
    priority         INTEGER NOT NULL,
    run_at           INTEGER NOT NULL,
    attempt          INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    crashes          INTEGER NOT NULL DEFAULT 0,
    generation       INTEGER NOT NULL DEFAULT 0,
    blocked_by_count INTEGER NOT NULL DEFAULT 0 CHECK (blocked_by_count >= 0),
    waited_on        INTEGER NOT NULL DEFAULT 0,
    token            INTEGER,
    leased_by        TEXT,
    claimed_at       INTEGER,
    leased_until     INTEGER,
    deadline         INTEGER,
    last_trace       TEXT,
    CHECK ((token IS NULL) = (leased_until IS NULL)),
    CHECK (token IS NULL OR blocked_by_count = 0)
) STRICT, WITHOUT ROWID;

CREATE INDEX "{schema}_claimable" ON "{schema}_open_job" (type, priority, run_at, chain_id)
    WHERE token IS NULL AND blocked_by_count = 0 AND crashes = 0;

CREATE INDEX "{schema}_suspect" ON "{schema}_open_job" (type, priority, run_at, chain_id)
    WHERE token IS NULL AND blocked_by_count = 0 AND crashes > 0;

CREATE INDEX "{schema}_leased" ON "{schema}_open_job" (leased_until)
    WHERE token IS NOT NULL;

-- How a job ended, with the attempt that closed it, if one did: then token, worker, claimed_at and trace are its own.
CREATE TABLE "{schema}_outcome" (
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
    output     TEXT CHECK (output IS NULL OR json_valid(output)),
    error_type TEXT,
    error_text TEXT,
    token      INTEGER,
    worker     TEXT,
    claimed_at INTEGER,
    trace      TEXT,
    PRIMARY KEY (chain_id, position, generation)
) STRICT;

-- For lists of what went wrong, newest first, by job or by chain; lists of all else go by the key.
CREATE INDEX "{schema}_ended_badly" ON "{schema}_outcome" (status, chain_id, position)
    WHERE status IN ('failed', 'cancelled');

-- Attempts that did not close their job.
CREATE TABLE "{schema}_attempt" (
    chain_id   TEXT NOT NULL,
    position   INTEGER NOT NULL,
    token      INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    verb       TEXT NOT NULL,
    worker     TEXT,
    claimed_at INTEGER,
    ended_at   INTEGER NOT NULL,
    error_type TEXT,
    error_text TEXT,
    trace      TEXT,
    PRIMARY KEY (chain_id, position, token)
) STRICT;

-- Which chains the first job of a chain waits for; resolved_at is when the dependent was told of the blocker's end.
CREATE TABLE "{schema}_blocker" (
    chain_id    TEXT NOT NULL,
    ordinal     INTEGER NOT NULL,
    blocker_id  TEXT NOT NULL,
    resolved_at INTEGER,
    PRIMARY KEY (chain_id, ordinal)
) STRICT, WITHOUT ROWID;

CREATE INDEX "{schema}_blocks" ON "{schema}_blocker" (blocker_id, resolved_at, chain_id);

-- Closed chains with dependents that were not told in the same commit.
CREATE TABLE "{schema}_pending_unblock" (
    chain_id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE "{schema}_dedup_key" (
    type     TEXT NOT NULL,
    key      TEXT NOT NULL,
    chain_id TEXT NOT NULL UNIQUE,
    PRIMARY KEY (type, key)
) STRICT, WITHOUT ROWID;

-- For people. Nothing in the code reads it.
CREATE VIEW "{schema}_jobs" AS
SELECT job.chain_id,
       job.position,
       job.type,
       job.queue,
       coalesce(
           (SELECT status FROM "{schema}_outcome" AS outcome
             WHERE outcome.chain_id = job.chain_id AND outcome.position = job.position
             ORDER BY generation DESC LIMIT 1),
           CASE
               WHEN open.blocked_by_count > 0 THEN 'blocked'
               WHEN open.token IS NOT NULL THEN 'running'
               WHEN open.run_at / 1000000 > unixepoch('now') THEN 'scheduled'
               ELSE 'ready'
           END
       ) AS status,
       datetime(job.created_at / 1000000, 'unixepoch') AS created_at,
       datetime(open.run_at / 1000000, 'unixepoch') AS run_at,
       open.attempt,
       open.leased_by,
       datetime(open.leased_until / 1000000, 'unixepoch') AS leased_until,
       job.input
  FROM "{schema}_job" AS job
  LEFT JOIN "{schema}_open_job" AS open
    ON open.chain_id = job.chain_id AND open.position = job.position;
