-- The immutable part of a job. Only an amended input is added later, and counts from then on.
-- A chain's dedup key is stored with its first job, because a redriven chain takes it back.
CREATE TABLE "{schema}_job" (
    chain_id      TEXT NOT NULL,
    position      INTEGER NOT NULL CHECK (position >= 0),
    type          TEXT NOT NULL,
    queue         TEXT NOT NULL,
    input         TEXT NOT NULL CHECK (json_valid(input)),
    created_at    INTEGER NOT NULL,
    trace         TEXT,
    meta          TEXT CHECK (meta IS NULL OR json_valid(meta)),
    amended_input TEXT CHECK (amended_input IS NULL OR json_valid(amended_input)),
    dedup_key     TEXT,
    dedup_lasting INTEGER,
    PRIMARY KEY (chain_id, position)
) STRICT;

-- One row for each open chain: its last job. Claimed, renewed and replaced by the successor in place; deleted when the
-- chain closes. `until` and `on_failure` are NULL by default: all blockers, and it fails with the first failed one.
CREATE TABLE "{schema}_open_job" (
    chain_id         TEXT PRIMARY KEY,
    position         INTEGER NOT NULL,
    type             TEXT NOT NULL,
    queue            TEXT NOT NULL,
    priority         INTEGER NOT NULL,
    run_at           INTEGER NOT NULL,
    attempt          INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    crashes          INTEGER NOT NULL DEFAULT 0,
    blocked_by_count INTEGER NOT NULL DEFAULT 0 CHECK (blocked_by_count >= 0),
    waited_on        INTEGER NOT NULL DEFAULT 0,
    until            TEXT CHECK (until IS NULL OR until = 'any'),
    on_failure       TEXT CHECK (on_failure IS NULL OR on_failure IN ('ignore', 'wait')),
    expires_at       INTEGER,
    token            INTEGER,
    leased_by        TEXT,
    claimed_at       INTEGER,
    leased_until     INTEGER,
    deadline         INTEGER,
    last_trace       TEXT,
    CHECK ((token IS NULL) = (leased_until IS NULL)),
    CHECK (token IS NULL OR blocked_by_count = 0)
) STRICT, WITHOUT ROWID;

-- With the last two columns a claim skips expired jobs without reading their rows. Blocked, leased and suspect jobs are
-- not in the index: many of them ahead of a ready job cost a claim nothing.
CREATE INDEX "{schema}_claimable" ON "{schema}_open_job" (type, priority, run_at, chain_id, expires_at, attempt)
    WHERE token IS NULL AND blocked_by_count = 0 AND crashes = 0;

CREATE INDEX "{schema}_suspect" ON "{schema}_open_job" (type, priority, run_at, chain_id)
    WHERE token IS NULL AND blocked_by_count = 0 AND crashes > 0;

CREATE INDEX "{schema}_leased" ON "{schema}_open_job" (leased_until)
    WHERE token IS NOT NULL;

-- Jobs that were never started, by the time at which they expire.
CREATE INDEX "{schema}_expiring" ON "{schema}_open_job" (expires_at)
    WHERE expires_at IS NOT NULL AND token IS NULL AND attempt = 0 AND crashes = 0;

-- How a job ended, with the attempt that closed it, if one did: then token, worker, claimed_at and trace are its own.
-- Generation 0 is the current end; 1, 2 and so on are the ends before its first, second, ... redrive.
-- The rule for blockers is stored for a redrive.
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
    until      TEXT,
    on_failure TEXT,
    PRIMARY KEY (chain_id, position, generation)
) STRICT;

-- For lists of failures, newest first, by job or by chain. All other lists use the primary key.
CREATE INDEX "{schema}_ended_badly" ON "{schema}_outcome" (status, chain_id, position)
    WHERE status IN ('failed', 'cancelled') AND generation = 0;

-- Attempts that did not close their job; generations as in the outcome.
CREATE TABLE "{schema}_attempt" (
    chain_id   TEXT NOT NULL,
    position   INTEGER NOT NULL,
    token      INTEGER NOT NULL,
    generation INTEGER NOT NULL DEFAULT 0,
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

-- The chains that a job waits for, or waited for. `released_at` is when the blocker's end was counted. `waits`: only a
-- completion releases the row. `awaited_at` is since when the job waits for the blocker; NULL if it was closed already.
CREATE TABLE "{schema}_blocker" (
    chain_id    TEXT NOT NULL,
    position    INTEGER NOT NULL,
    ordinal     INTEGER NOT NULL,
    blocker_id  TEXT NOT NULL,
    waits       INTEGER NOT NULL DEFAULT 0,
    awaited_at  INTEGER,
    released_at INTEGER,
    PRIMARY KEY (chain_id, position, ordinal)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX "{schema}_blocks" ON "{schema}_blocker" (blocker_id, chain_id, position);

CREATE INDEX "{schema}_awaited" ON "{schema}_blocker" (blocker_id, waits, chain_id, position)
    WHERE released_at IS NULL;

-- Closed chains with dependents that were too many to be unblocked in the same commit.
CREATE TABLE "{schema}_pending_unblock" (
    chain_id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- The chain that holds a dedup key, since when, and whether it still holds it after it closes.
CREATE TABLE "{schema}_dedup_key" (
    type     TEXT NOT NULL,
    key      TEXT NOT NULL,
    chain_id TEXT NOT NULL UNIQUE,
    taken_at INTEGER NOT NULL,
    lasting  INTEGER NOT NULL,
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
             WHERE outcome.chain_id = job.chain_id AND outcome.position = job.position AND outcome.generation = 0),
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
       coalesce(job.amended_input, job.input) AS input
  FROM "{schema}_job" AS job
  LEFT JOIN "{schema}_open_job" AS open
    ON open.chain_id = job.chain_id AND open.position = job.position;
