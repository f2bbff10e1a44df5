-- The storage: a request for each job, which rarely changes, one narrow hot row for each open chain, and an outcome
-- appended when a job closes. Every key begins with chain_id, so that the tables that grow can be partitioned by it.

CREATE TABLE {schema}.job (
    chain_id         uuid        NOT NULL,
    created_at       timestamptz NOT NULL,
    run_at           timestamptz NOT NULL,
    position         integer     NOT NULL CHECK (position >= 0),
    priority         integer     NOT NULL,
    type             text        NOT NULL COLLATE "C" CHECK (type <> ''),
    queue            text        NOT NULL,
    input            jsonb       NOT NULL,
    trace            text,
    meta             jsonb,
    -- Of the chain's first job, repeated on those that continue it and nowhere else.
    chain_type       text        COLLATE "C",
    chain_created_at timestamptz,
    -- How many chains it was given to wait for, at its creation or since, and by which rule where that is not the usual
    -- one; whether it was blocked when it was created.
    blockers         integer     CHECK (blockers > 0),
    until            text        COLLATE "C" CHECK (until = 'any'),
    on_failure       text        COLLATE "C" CHECK (on_failure IN ('ignore', 'wait')),
    born_blocked     boolean,
    -- What took the place of the input.
    amended_input    jsonb,
    -- Of a first job that has one: the key it took, and whether it keeps the key when its chain closes.
    dedup_key        text        COLLATE "C",
    key_lasts        boolean,
    PRIMARY KEY (chain_id, position),
    CHECK ((position > 0) = (chain_type IS NOT NULL)),
    CHECK ((chain_type IS NULL) = (chain_created_at IS NULL)),
    CHECK (position = 0 OR dedup_key IS NULL),
    CHECK (dedup_key IS NOT NULL OR key_lasts IS NULL)
) WITH (vacuum_truncate = off);

-- The primary key allows a chain at most one open job. Neither position nor token is in a unique index, so that claims
-- and renewals do not collide with transactions that lock a row against deletion only.
CREATE TABLE {schema}.open_job (
    chain_id     uuid        NOT NULL PRIMARY KEY,
    run_at       timestamptz NOT NULL,
    position     integer     NOT NULL CHECK (position >= 0),
    priority     integer     NOT NULL,
    attempt      integer     NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    crashes      integer     NOT NULL DEFAULT 0 CHECK (crashes >= 0),
    blocked_by   integer     NOT NULL DEFAULT 0 CHECK (blocked_by >= 0),
    waited_on    boolean     NOT NULL DEFAULT false,
    keyed        boolean     NOT NULL DEFAULT false,
    type         text        NOT NULL COLLATE "C",
    token        bigint,
    claimed_at   timestamptz,
    leased_until timestamptz,
    deadline     timestamptz,
    leased_by    text,
    last_trace   text,
    expires_at   timestamptz,
    CHECK (token IS NULL OR blocked_by = 0),
    CHECK ((token IS NULL) = (leased_by IS NULL)),
    CHECK ((token IS NULL) = (claimed_at IS NULL)),
    CHECK ((token IS NULL) = (leased_until IS NULL)),
    CHECK (deadline IS NULL OR token IS NOT NULL)
) WITH (
    fillfactor = 50,
    vacuum_truncate = off,
    autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_threshold = 2000,
    autovacuum_analyze_scale_factor = 0.05
);

CREATE INDEX open_job_claimable ON {schema}.open_job (type, priority, run_at, chain_id)
    WHERE token IS NULL AND blocked_by = 0 AND crashes = 0;
CREATE INDEX open_job_suspect ON {schema}.open_job (type, priority, run_at, chain_id)
    WHERE token IS NULL AND blocked_by = 0 AND crashes > 0;
-- Without leased_until, so that a renewal changes no index; live leases are few.
CREATE INDEX open_job_leased ON {schema}.open_job (chain_id)
    WHERE token IS NOT NULL;

CREATE INDEX open_job_expiring ON {schema}.open_job (expires_at)
    WHERE expires_at IS NOT NULL AND token IS NULL AND attempt = 0 AND crashes = 0;

-- How a job closed, and the attempt that closed it: a job that completes at its first attempt writes nothing else.
-- A job that is redriven keeps its outcomes: generation 0 is the present one, 1 the first that was put aside.
CREATE TABLE {schema}.outcome (
    chain_id    uuid        NOT NULL,
    closed_at   timestamptz NOT NULL,
    run_at      timestamptz NOT NULL,
    position    integer     NOT NULL,
    priority    integer     NOT NULL,
    attempt     integer     NOT NULL,
    crashes     integer     NOT NULL,
    generation  smallint    NOT NULL DEFAULT 0,
    type        text        NOT NULL COLLATE "C",
    status      text        NOT NULL COLLATE "C" CHECK (status IN ('completed', 'continued', 'failed', 'cancelled')),
    verb        text        NOT NULL COLLATE "C",
    token       bigint,
    claimed_at  timestamptz,
    worker      text,
    output      jsonb,
    error_type  text,
    error_text  text,
    trace       text,
    redriven_at timestamptz,
    PRIMARY KEY (chain_id, position, generation),
    CHECK ((generation > 0) = (redriven_at IS NOT NULL)),
    CHECK ((status = 'completed') = (output IS NOT NULL)),
    CHECK ((status = 'failed') = (error_type IS NOT NULL)),
    CHECK ((error_type IS NULL) = (error_text IS NULL)),
    CHECK ((token IS NULL) = (claimed_at IS NULL))
) WITH (vacuum_truncate = off);

CREATE INDEX outcome_unhappy ON {schema}.outcome (status, type, chain_id, position)
    WHERE status IN ('failed', 'cancelled') AND generation = 0;
CREATE INDEX outcome_unhappy_newest ON {schema}.outcome (status, chain_id, position)
    WHERE status IN ('failed', 'cancelled') AND generation = 0;

-- Attempts that ended without closing their job. due_at is null for one that was left blocked.
CREATE TABLE {schema}.attempt (
    chain_id   uuid        NOT NULL,
    token      bigint      NOT NULL,
    claimed_at timestamptz NOT NULL,
    ended_at   timestamptz NOT NULL,
    due_at     timestamptz,
    position   integer     NOT NULL,
    number     integer     NOT NULL,
    generation smallint    NOT NULL DEFAULT 0,
    verb       text        NOT NULL COLLATE "C",
    worker     text        NOT NULL,
    error_type text,
    error_text text,
    trace      text,
    PRIMARY KEY (chain_id, position, token),
    CHECK (due_at IS NOT NULL OR verb = 'block')
);

-- One row for each chain that a job waits for, or waited for. released_at is null while it is awaited. A patient row
-- stays awaited when the blocker fails; patient is in the index, so that a failed blocker reads no such rows.
CREATE TABLE {schema}.blocker (
    chain_id    uuid        NOT NULL,
    blocker_id  uuid        NOT NULL,
    released_at timestamptz,
    position    integer     NOT NULL,
    ordinal     integer     NOT NULL,
    patient     boolean     NOT NULL DEFAULT false,
    PRIMARY KEY (chain_id, position, blocker_id),
    CHECK (blocker_id <> chain_id)
) WITH (vacuum_truncate = off);

CREATE INDEX blocker_awaited ON {schema}.blocker (blocker_id, patient, chain_id) WHERE released_at IS NULL;
CREATE INDEX blocker_feeds ON {schema}.blocker (blocker_id, chain_id, position);

-- At most one chain of a type holds a key: until it closes, or for as long as it is stored.
CREATE TABLE {schema}.dedup_key (
    type     text NOT NULL COLLATE "C",
    key      text NOT NULL COLLATE "C" CHECK (key <> ''),
    chain_id uuid NOT NULL,
    PRIMARY KEY (type, key)
);

-- Chains that closed while more waited for them than one commit should touch, or while a dependent was locked.
CREATE TABLE {schema}.pending_unblock (
    blocker_id uuid        NOT NULL PRIMARY KEY,
    since      timestamptz NOT NULL
);

-- For people; the client never reads it.
CREATE VIEW {schema}.jobs AS
SELECT
    j.chain_id, j.position, j.type, j.queue,
    coalesce(
        c.status,
        CASE
            WHEN o.token IS NOT NULL THEN 'running'
            WHEN o.blocked_by > 0 THEN 'blocked'
            WHEN o.run_at > statement_timestamp() THEN 'scheduled'
            ELSE 'ready'
        END
    ) AS status,
    coalesce(c.priority, o.priority, j.priority) AS priority,
    coalesce(c.run_at, o.run_at, j.run_at) AS run_at,
    coalesce(c.attempt, o.attempt) AS attempt,
    coalesce(c.crashes, o.crashes) AS crashes,
    o.leased_by, o.leased_until, o.blocked_by, o.expires_at,
    j.created_at, c.closed_at,
    coalesce(j.amended_input, j.input) AS input, c.output, c.error_type, c.error_text,
    j.meta, j.dedup_key
FROM {schema}.job AS j
LEFT JOIN {schema}.open_job AS o ON o.chain_id = j.chain_id AND o.position = j.position
LEFT JOIN {schema}.outcome AS c ON c.chain_id = j.chain_id AND c.position = j.position AND c.generation = 0;

-- A prepared plan made while a table is tiny prefers to read all of it, and stays in use while the table grows to a
-- million rows. A megabyte of free space that vacuum never returns makes an index the cheaper plan from the start.
INSERT INTO {schema}.job (chain_id, position, priority, created_at, run_at, type, queue, input)
SELECT gen_random_uuid(), 0, 0, statement_timestamp(), statement_timestamp(), 'room', '', to_jsonb(repeat('.', 1800))
FROM generate_series(1, 512);
INSERT INTO {schema}.outcome
    (chain_id, position, priority, attempt, crashes, closed_at, run_at, type, status, verb, output)
SELECT
    gen_random_uuid(), 0, 0, 0, 0, statement_timestamp(), statement_timestamp(), 'room', 'completed', '',
    to_jsonb(repeat('.', 1800))
FROM generate_series(1, 512);
INSERT INTO {schema}.open_job (chain_id, position, priority, run_at, type, last_trace)
SELECT gen_random_uuid(), 0, 0, statement_timestamp(), 'room', repeat('.', 1800)
FROM generate_series(1, 256);
DELETE FROM {schema}.job;
DELETE FROM {schema}.outcome;
DELETE FROM {schema}.open_job;

-- For an empty table the planner takes any index with the column for as good as any other. These rows, which belong to
-- no job, stay: so the table is never taken for empty, and the planner compares its indexes.
INSERT INTO {schema}.blocker (chain_id, position, blocker_id, ordinal, released_at)
SELECT gen_random_uuid(), -1, gen_random_uuid(), n, CASE n % 2 WHEN 1 THEN statement_timestamp() END
FROM generate_series(1, 4000) AS room (n);
ANALYZE {schema}.job;
ANALYZE {schema}.outcome;
ANALYZE {schema}.open_job;
ANALYZE {schema}.blocker;
