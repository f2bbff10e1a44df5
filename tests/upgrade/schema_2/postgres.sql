BEGIN;
SET LOCAL search_path = pg_catalog, pg_temp;
SELECT pg_advisory_xact_lock(hashtextextended('otelq migration of "otelq"', 0));
-- IF NOT EXISTS would ask for the right to create schemas also where there is one.
DO $$ BEGIN IF to_regnamespace('"otelq"') IS NULL THEN CREATE SCHEMA "otelq"; END IF; END $$;
CREATE TABLE IF NOT EXISTS "otelq".migration (
    version    integer     NOT NULL PRIMARY KEY,
    name       text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT statement_timestamp()
);

-- The storage: a request for each job, which rarely changes, one narrow hot row for each open chain, and an outcome
-- appended when a job closes. Every key begins with chain_id, so that the tables that grow can be partitioned by it.

CREATE TABLE "otelq".job (
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
CREATE TABLE "otelq".open_job (
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

CREATE INDEX open_job_claimable ON "otelq".open_job (type, priority, run_at, chain_id)
    WHERE token IS NULL AND blocked_by = 0 AND crashes = 0;
CREATE INDEX open_job_suspect ON "otelq".open_job (type, priority, run_at, chain_id)
    WHERE token IS NULL AND blocked_by = 0 AND crashes > 0;
-- Without leased_until, so that a renewal changes no index; live leases are few.
CREATE INDEX open_job_leased ON "otelq".open_job (chain_id)
    WHERE token IS NOT NULL;

CREATE INDEX open_job_expiring ON "otelq".open_job (expires_at)
    WHERE expires_at IS NOT NULL AND token IS NULL AND attempt = 0 AND crashes = 0;

-- How a job closed, and the attempt that closed it: a job that completes at its first attempt writes nothing else.
-- A job that is redriven keeps its outcomes: generation 0 is the present one, 1 the first that was put aside.
CREATE TABLE "otelq".outcome (
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

CREATE INDEX outcome_unhappy ON "otelq".outcome (status, type, chain_id, position)
    WHERE status IN ('failed', 'cancelled') AND generation = 0;
CREATE INDEX outcome_unhappy_newest ON "otelq".outcome (status, chain_id, position)
    WHERE status IN ('failed', 'cancelled') AND generation = 0;

-- Attempts that ended without closing their job. due_at is null for one that was left blocked.
CREATE TABLE "otelq".attempt (
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
CREATE TABLE "otelq".blocker (
    chain_id    uuid        NOT NULL,
    blocker_id  uuid        NOT NULL,
    released_at timestamptz,
    position    integer     NOT NULL,
    ordinal     integer     NOT NULL,
    patient     boolean     NOT NULL DEFAULT false,
    PRIMARY KEY (chain_id, position, blocker_id),
    CHECK (blocker_id <> chain_id)
) WITH (vacuum_truncate = off);

CREATE INDEX blocker_awaited ON "otelq".blocker (blocker_id, patient, chain_id) WHERE released_at IS NULL;
CREATE INDEX blocker_feeds ON "otelq".blocker (blocker_id, chain_id, position);

-- At most one chain of a type holds a key: until it closes, or for as long as it is stored.
CREATE TABLE "otelq".dedup_key (
    type     text NOT NULL COLLATE "C",
    key      text NOT NULL COLLATE "C" CHECK (key <> ''),
    chain_id uuid NOT NULL,
    PRIMARY KEY (type, key)
);

-- Chains that closed while more waited for them than one commit should touch, or while a dependent was locked.
CREATE TABLE "otelq".pending_unblock (
    blocker_id uuid        NOT NULL PRIMARY KEY,
    since      timestamptz NOT NULL
);

-- For people; the client never reads it.
CREATE VIEW "otelq".jobs AS
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
FROM "otelq".job AS j
LEFT JOIN "otelq".open_job AS o ON o.chain_id = j.chain_id AND o.position = j.position
LEFT JOIN "otelq".outcome AS c ON c.chain_id = j.chain_id AND c.position = j.position AND c.generation = 0;

-- A prepared plan made while a table is tiny prefers to read all of it, and stays in use while the table grows to a
-- million rows. A megabyte of free space that vacuum never returns makes an index the cheaper plan from the start.
INSERT INTO "otelq".job (chain_id, position, priority, created_at, run_at, type, queue, input)
SELECT gen_random_uuid(), 0, 0, statement_timestamp(), statement_timestamp(), 'room', '', to_jsonb(repeat('.', 1800))
FROM generate_series(1, 512);
INSERT INTO "otelq".outcome
    (chain_id, position, priority, attempt, crashes, closed_at, run_at, type, status, verb, output)
SELECT
    gen_random_uuid(), 0, 0, 0, 0, statement_timestamp(), statement_timestamp(), 'room', 'completed', '',
    to_jsonb(repeat('.', 1800))
FROM generate_series(1, 512);
INSERT INTO "otelq".open_job (chain_id, position, priority, run_at, type, last_trace)
SELECT gen_random_uuid(), 0, 0, statement_timestamp(), 'room', repeat('.', 1800)
FROM generate_series(1, 256);
DELETE FROM "otelq".job;
DELETE FROM "otelq".outcome;
DELETE FROM "otelq".open_job;

-- For an empty table the planner takes any index with the column for as good as any other. These rows, which belong to
-- no job, stay: so the table is never taken for empty, and the planner compares its indexes.
INSERT INTO "otelq".blocker (chain_id, position, blocker_id, ordinal, released_at)
SELECT gen_random_uuid(), -1, gen_random_uuid(), n, CASE n % 2 WHEN 1 THEN statement_timestamp() END
FROM generate_series(1, 4000) AS room (n);
ANALYZE "otelq".job;
ANALYZE "otelq".outcome;
ANALYZE "otelq".open_job;
ANALYZE "otelq".blocker;

INSERT INTO "otelq".migration (version, name) VALUES (1, '0001_storage');

-- Times that a client could not read, and numbers that the next step would take out of their type: one such row, written
-- by hand, would fail every statement that meets it, and so the jobs of everybody. What is stored already is not looked
-- at, so that this takes no time.
ALTER TABLE "otelq".job
    ADD CONSTRAINT job_bounds CHECK (
        created_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND run_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND chain_created_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND position < 1000000000
        AND blockers < 1000000000
    ) NOT VALID;

ALTER TABLE "otelq".open_job
    ADD CONSTRAINT open_job_bounds CHECK (
        run_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND claimed_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND leased_until BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND deadline BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND expires_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND position < 1000000000
        AND attempt < 1000000000
        AND crashes < 1000000000
    ) NOT VALID;

ALTER TABLE "otelq".outcome
    ADD CONSTRAINT outcome_bounds CHECK (
        closed_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND run_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND claimed_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND redriven_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND attempt BETWEEN 0 AND 999999999
        AND crashes BETWEEN 0 AND 999999999
    ) NOT VALID;

ALTER TABLE "otelq".attempt
    ADD CONSTRAINT attempt_bounds CHECK (
        claimed_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND ended_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND due_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
    ) NOT VALID;

INSERT INTO "otelq".migration (version, name) VALUES (2, '0002_bounds');
COMMIT;

CREATE TABLE ledger (chain_id text, position integer, token bigint, PRIMARY KEY (chain_id, position, token));

INSERT INTO otelq.job (chain_id, created_at, run_at, position, priority, type, queue, input, trace, meta, chain_type, chain_created_at, blockers, until, on_failure, born_blocked, amended_input, dedup_key, key_lasts) VALUES
('019ac0de-0001-7000-8000-000000000001', '2026-11-30 13:05:37.380376+00', '2026-11-30 13:05:37.380376+00', '0', '0', 'ready', 'default', '{"kind": "ready"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-67b1984283c27b8a-03"}', E'{"tags": {"odd": "ключ 👩‍🚀 ''", "shop": "north"}, "tenant": "Ærø", "headers": {"x-id": "\\"\\\\\\""}, "request_id": "request 1"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0002-7000-8000-000000000002', '2026-11-30 13:05:37.381884+00', '2026-11-30 13:05:37.381884+00', '0', '100', 'ready_last', 'default', '{"kind": "ready_last"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-9d0c6b202801082a-03"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0003-7000-8000-000000000003', '2026-11-30 13:05:37.38952+00', '2026-11-30 14:05:37.38952+00', '0', '-100', 'scheduled', 'default', '{"kind": "scheduled"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-89f261fad52a6745-03"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0004-7000-8000-000000000004', '2026-11-30 13:05:37.400248+00', '2026-11-30 13:05:37.400248+00', '0', '0', 'running', 'default', '{"kind": "running"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-26aa90a861111289-03"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0005-7000-8000-000000000005', '2026-11-30 13:05:37.412258+00', '2026-11-30 13:05:37.412258+00', '0', '0', 'running_lost', 'default', '{"kind": "running_lost"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-3bb2a16b26b4dbf1-03"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0006-7000-8000-000000000006', '2026-11-30 13:05:37.455993+00', '2026-11-30 13:05:37.455993+00', '0', '0', 'suspect', 'default', '{"kind": "suspect"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-362e1a4d05a5aaac-03"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0007-7000-8000-000000000007', '2026-11-30 13:05:37.726282+00', '2026-11-30 13:05:37.726282+00', '0', '0', 'retried', 'default', '{"kind": "retried"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-76a73322e0bd4f2a-03"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0008-7000-8000-000000000008', '2026-11-30 13:05:37.888053+00', '2026-11-30 13:05:37.888053+00', '0', '0', 'snoozed', 'default', '{"kind": "snoozed"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-cdd7b36ec58cb9b9-03"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0009-7000-8000-000000000009', '2026-11-30 13:05:38.009289+00', '2026-11-30 13:05:38.009289+00', '0', '0', 'released', 'default', '{"kind": "released"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-6393dd636d86d6e5-03"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-000a-7000-8000-00000000000a', '2026-11-30 13:05:38.79247+00', '2026-11-30 13:05:38.79247+00', '0', '0', 'blocked_by_all', 'default', '{"kind": "blocked_by_all"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-4ded911222474dbd-03"}', NULL, NULL, NULL, '2', NULL, NULL, 'true', NULL, NULL, NULL),
('019ac0de-000b-7000-8000-00000000000b', '2026-11-30 13:05:38.862511+00', '2026-11-30 13:05:38.862511+00', '0', '0', 'blocked_by_any', 'default', '{"kind": "blocked_by_any"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-27afa8840a78fe64-03"}', NULL, NULL, NULL, '2', 'any', NULL, 'true', NULL, NULL, NULL),
('019ac0de-000c-7000-8000-00000000000c', '2026-11-30 13:05:38.901724+00', '2026-11-30 13:05:38.901724+00', '0', '0', 'blocked_ignores_failure', 'default', '{"kind": "blocked_ignores_failure"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-56f5880d1b4c8b88-03"}', NULL, NULL, NULL, '2', NULL, 'ignore', 'true', NULL, NULL, NULL),
('019ac0de-000d-7000-8000-00000000000d', '2026-11-30 13:05:38.924334+00', '2026-11-30 13:05:38.924334+00', '0', '0', 'blocked_waits_on', 'default', '{"kind": "blocked_waits_on"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-026295e99ccedab0-03"}', NULL, NULL, NULL, '1', NULL, 'wait', 'true', NULL, NULL, NULL),
('019ac0de-000e-7000-8000-00000000000e', '2026-11-30 13:05:38.938398+00', '2026-11-30 13:05:38.938398+00', '0', '0', 'blocked_by_handler', 'default', '{"kind": "blocked_by_handler"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-3e2ccbd1ce313956-03"}', NULL, NULL, NULL, '2', NULL, 'ignore', NULL, NULL, NULL, NULL),
('019ac0de-000f-7000-8000-00000000000f', '2026-11-30 13:05:39.490355+00', '2026-11-30 13:05:39.490355+00', '0', '0', 'pending', 'default', '{"kind": "pending"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-6ccadc8074657608-03"}', NULL, NULL, NULL, '1', NULL, NULL, 'true', NULL, NULL, NULL),
('019ac0de-0010-7000-8000-000000000010', '2026-11-30 13:05:38.031423+00', '2026-11-30 13:05:38.031423+00', '0', '0', 'continued', 'default', '{"kind": "continued"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-e415cd4e58a26265-03"}', '{"tenant": "Ærø"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0010-7000-8000-000000000010', '2026-11-30 13:05:38.043464+00', '2026-11-30 13:05:38.043464+00', '1', '0', 'next', 'default', '{"half": 1}', NULL, NULL, 'continued', '2026-11-30 13:05:38.031423+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0011-7000-8000-000000000011', '2026-11-30 13:05:39.299973+00', '2026-11-30 13:05:39.299973+00', '0', '0', 'continued_blocked', 'default', '{"kind": "continued_blocked"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-68cd95ba59714e1b-03"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0011-7000-8000-000000000011', '2026-11-30 13:05:39.339506+00', '2026-11-30 13:05:39.339506+00', '1', '0', 'next', 'default', '[1]', NULL, NULL, 'continued_blocked', '2026-11-30 13:05:39.299973+00', '2', NULL, NULL, 'true', NULL, NULL, NULL),
('019ac0de-0012-7000-8000-000000000012', '2026-11-30 13:05:38.095007+00', '2026-11-30 13:05:38.095007+00', '0', '0', 'key_held', 'default', '{"kind": "key_held"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-48822f61d733002d-03"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'key', NULL),
('019ac0de-0013-7000-8000-000000000013', '2026-11-30 13:05:38.105605+00', '2026-11-30 14:05:38.105605+00', '0', '0', 'amended', 'default', '{"kind": "amended"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-48bc35e0b83ef317-03"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, E'["ключ 👩‍🚀 é שלום   \\\\ \\" '' ; -- {schema} $1 %s"]', NULL, NULL),
('019ac0de-0014-7000-8000-000000000014', '2026-11-30 13:05:38.300348+00', '2026-11-30 13:05:38.300348+00', '0', '0', 'amended_by_time', 'default', '{"kind": "amended_by_time"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-495ba2855056efa6-03"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0015-7000-8000-000000000015', '2026-11-30 13:05:38.338122+00', '2026-11-30 13:05:38.338122+00', '0', '0', 'expired_unseen', 'default', '{"kind": "expired_unseen"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-51fc87864dc8e484-03"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0016-7000-8000-000000000016', '2026-11-30 13:05:38.349067+00', '2026-11-30 13:05:38.349067+00', '0', '0', 'expires_later', 'default', '{"kind": "expires_later"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-4dde0660e06bddbd-03"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0017-7000-8000-000000000017', '2026-11-30 13:05:38.352552+00', '2026-11-30 13:05:38.352552+00', '0', '0', 'redriven', 'default', '{"kind": "redriven"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-1067d31c4efa069c-03"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0018-7000-8000-000000000018', '2026-11-30 13:05:38.509942+00', '2026-11-30 13:05:38.509942+00', '0', '0', 'redriven_twice', 'default', '{"kind": "redriven_twice"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-117fec47fb0c4817-03"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0019-7000-8000-000000000019', '2026-11-30 13:05:37.385679+00', '2026-11-30 13:05:37.385679+00', '0', '0', 'unicode', 'default', E'{"ключ 👩‍🚀 é שלום   \\\\ \\" '' ; -- {schema} $1 %s": ["ключ 👩‍🚀 é שלום   \\\\ \\" '' ; -- {schema} $1 %s", "a\\nb\\tc", 9007199254740993, -0.5, 0.000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001]}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-fadf938f680c35f0-03"}', '{"tags": {"shop": "south"}}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-001a-7000-8000-00000000001a', '2026-11-30 13:05:36.713722+00', '2026-11-30 13:05:36.713722+00', '0', '0', 'completed', 'default', '{"kind": "completed"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-68117a22c9e2d82f-03"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-001b-7000-8000-00000000001b', '2026-11-30 13:05:36.860003+00', '2026-11-30 13:05:36.860003+00', '0', '0', 'completed_late', 'default', '{"kind": "completed_late"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-0f168a6b33154cd7-03"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-001c-7000-8000-00000000001c', '2026-11-30 13:05:36.884503+00', '2026-11-30 13:05:36.884503+00', '0', '0', 'completed_elsewhere', 'default', '{"kind": "completed_elsewhere"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-06fc36bd9a37b780-03"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-001c-7000-8000-00000000001c', '2026-11-30 13:05:36.899815+00', '2026-11-30 13:05:36.899815+00', '1', '-3', 'next', 'default', '"half"', NULL, NULL, 'completed_elsewhere', '2026-11-30 13:05:36.884503+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-001c-7000-8000-00000000001c', '2026-11-30 13:05:36.910873+00', '2026-11-30 13:05:36.910873+00', '2', '-3', 'next', 'default', '"done"', NULL, NULL, 'completed_elsewhere', '2026-11-30 13:05:36.884503+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-001d-7000-8000-00000000001d', '2026-11-30 13:05:36.920791+00', '2026-11-30 13:05:36.920791+00', '0', '0', 'completed_by_client', 'default', '{"kind": "completed_by_client"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-ade650a1de6daeb6-03"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-001e-7000-8000-00000000001e', '2026-11-30 13:05:36.942713+00', '2026-11-30 13:05:36.942713+00', '0', '0', 'key_lasts', 'default', '{"kind": "key_lasts"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-87c24ff329caa660-03"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, E'ключ 👩‍🚀 é שלום   \\ " '' ; -- {schema} $1 %s', 'true'),
('019ac0de-001f-7000-8000-00000000001f', '2026-11-30 13:05:37.059332+00', '2026-11-30 13:05:37.059332+00', '0', '0', 'failed', 'default', '{"kind": "failed"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-f4a479725b0321e5-03"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0020-7000-8000-000000000020', '2026-11-30 13:05:37.172566+00', '2026-11-30 13:05:37.172566+00', '0', '0', 'failed_by_blocker', 'default', '{"kind": "failed_by_blocker"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-0c6370df96f87dad-03"}', NULL, NULL, NULL, '1', NULL, NULL, 'true', NULL, NULL, NULL),
('019ac0de-0021-7000-8000-000000000021', '2026-11-30 13:05:37.189812+00', '2026-11-30 14:05:37.189812+00', '0', '0', 'cancelled', 'default', '{"kind": "cancelled"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-60e157265b8147cd-03"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0022-7000-8000-000000000022', '2026-11-30 13:05:37.194309+00', '2026-11-30 13:05:37.194309+00', '0', '0', 'cancelled_running', 'default', '{"kind": "cancelled_running"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-685d826ea16e80f3-03"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0023-7000-8000-000000000023', '2026-11-30 13:05:36.670903+00', '2026-11-30 13:05:36.670903+00', '0', '0', 'expired', 'default', '{"kind": "expired"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-0fb1b62d2c19c267-03"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0024-7000-8000-000000000024', '2026-11-30 13:05:39.350402+00', '2026-11-30 13:05:39.350402+00', '0', '0', 'released_blocker', 'default', '{"kind": "released_blocker"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-9bb6a869950e12f6-03"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0025-7000-8000-000000000025', '2026-11-30 13:05:37.237098+00', '2026-11-30 13:05:37.237098+00', '0', '0', 'taken_over', 'default', '{"kind": "taken_over"}', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-c3518203eaa31622-03"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

INSERT INTO otelq.open_job (chain_id, run_at, position, priority, attempt, crashes, blocked_by, waited_on, keyed, type, token, claimed_at, leased_until, deadline, leased_by, last_trace, expires_at) VALUES
('019ac0de-0001-7000-8000-000000000001', '2026-11-30 13:05:37.380376+00', '0', '0', '0', '0', '0', 'true', 'false', 'ready', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0002-7000-8000-000000000002', '2026-11-30 13:05:37.381884+00', '0', '100', '0', '0', '0', 'true', 'false', 'ready_last', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0003-7000-8000-000000000003', '2100-01-01 00:00:00+00', '0', '-100', '0', '0', '0', 'true', 'false', 'scheduled', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0004-7000-8000-000000000004', '2026-11-30 13:05:37.400248+00', '0', '0', '1', '0', '0', 'false', 'false', 'running', '4611686018427387918', '2026-11-30 13:05:37.401815+00', '2100-01-01 00:00:00+00', '2100-01-01 00:00:00+00', 'a worker of then', NULL, NULL),
('019ac0de-0005-7000-8000-000000000005', '2026-11-30 13:05:37.412258+00', '0', '0', '1', '0', '0', 'false', 'false', 'running_lost', '4611686018427387919', '2026-11-30 13:05:37.427491+00', '2026-11-30 13:05:37.427491+00', NULL, 'a worker of then', NULL, NULL),
('019ac0de-0006-7000-8000-000000000006', '2026-11-30 13:05:37.614356+00', '0', '0', '2', '2', '0', 'false', 'false', 'suspect', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0007-7000-8000-000000000007', '2026-11-30 13:05:37.873716+00', '0', '0', '3', '0', '0', 'false', 'false', 'retried', NULL, NULL, NULL, NULL, NULL, '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-76a73322e0bd4f2a-03"}', NULL),
('019ac0de-0008-7000-8000-000000000008', '2100-01-01 00:00:00+00', '0', '0', '1', '0', '0', 'false', 'false', 'snoozed', NULL, NULL, NULL, NULL, NULL, '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-cdd7b36ec58cb9b9-03"}', NULL),
('019ac0de-0009-7000-8000-000000000009', '2026-11-30 13:05:38.022952+00', '0', '0', '0', '0', '0', 'false', 'false', 'released', NULL, NULL, NULL, NULL, NULL, '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-6393dd636d86d6e5-03"}', NULL),
('019ac0de-000a-7000-8000-00000000000a', '2026-11-30 13:05:38.79247+00', '0', '0', '0', '0', '2', 'false', 'false', 'blocked_by_all', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-000b-7000-8000-00000000000b', '2026-11-30 13:05:38.862511+00', '0', '0', '0', '0', '2', 'false', 'false', 'blocked_by_any', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-000c-7000-8000-00000000000c', '2026-11-30 13:05:38.901724+00', '0', '0', '0', '0', '1', 'false', 'false', 'blocked_ignores_failure', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-000d-7000-8000-00000000000d', '2026-11-30 13:05:38.924334+00', '0', '0', '0', '0', '1', 'false', 'false', 'blocked_waits_on', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-000e-7000-8000-00000000000e', '2026-11-30 13:05:39.263361+00', '0', '0', '1', '0', '1', 'false', 'false', 'blocked_by_handler', NULL, NULL, NULL, NULL, NULL, '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-3e2ccbd1ce313956-03"}', NULL),
('019ac0de-000f-7000-8000-00000000000f', '2026-11-30 13:05:39.635686+00', '0', '0', '0', '0', '1', 'false', 'false', 'pending', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0010-7000-8000-000000000010', '2026-11-30 13:05:38.043464+00', '1', '0', '0', '0', '0', 'false', 'false', 'next', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0011-7000-8000-000000000011', '2026-11-30 13:05:39.339506+00', '1', '0', '0', '0', '1', 'false', 'false', 'next', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0012-7000-8000-000000000012', '2026-11-30 13:05:38.095007+00', '0', '0', '0', '0', '0', 'false', 'true', 'key_held', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0013-7000-8000-000000000013', '2100-01-01 00:00:00+00', '0', '5', '0', '0', '0', 'false', 'false', 'amended', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0014-7000-8000-000000000014', '2100-01-01 00:00:00+00', '0', '0', '0', '0', '0', 'false', 'false', 'amended_by_time', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0015-7000-8000-000000000015', '2026-11-30 13:05:38.338122+00', '0', '0', '0', '0', '0', 'false', 'false', 'expired_unseen', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 13:05:38.338122+00'),
('019ac0de-0016-7000-8000-000000000016', '2026-11-30 13:05:38.349067+00', '0', '0', '0', '0', '0', 'false', 'false', 'expires_later', NULL, NULL, NULL, NULL, NULL, NULL, '2100-01-01 00:00:00+00'),
('019ac0de-0017-7000-8000-000000000017', '2026-11-30 13:05:38.506773+00', '0', '0', '0', '0', '0', 'false', 'false', 'redriven', NULL, NULL, NULL, NULL, NULL, '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-1067d31c4efa069c-03"}', NULL),
('019ac0de-0018-7000-8000-000000000018', '2026-11-30 13:05:38.731745+00', '0', '0', '0', '0', '0', 'false', 'false', 'redriven_twice', NULL, NULL, NULL, NULL, NULL, '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-117fec47fb0c4817-03"}', NULL),
('019ac0de-0019-7000-8000-000000000019', '2026-11-30 13:05:37.385679+00', '0', '0', '0', '0', '0', 'false', 'false', 'unicode', NULL, NULL, NULL, NULL, NULL, NULL, NULL);

INSERT INTO otelq.outcome (chain_id, closed_at, run_at, position, priority, attempt, crashes, generation, type, status, verb, token, claimed_at, worker, output, error_type, error_text, trace, redriven_at) VALUES
('019ac0de-0010-7000-8000-000000000010', '2026-11-30 13:05:38.043464+00', '2026-11-30 13:05:38.031423+00', '0', '0', '1', '0', '0', 'continued', 'continued', 'continue', '4611686018427387929', '2026-11-30 13:05:38.041123+00', 'a worker of then', NULL, NULL, NULL, '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-e415cd4e58a26265-03"}', NULL),
('019ac0de-0011-7000-8000-000000000011', '2026-11-30 13:05:39.339506+00', '2026-11-30 13:05:39.299973+00', '0', '0', '1', '0', '0', 'continued_blocked', 'continued', 'continue', '4611686018427387938', '2026-11-30 13:05:39.326643+00', 'a worker of then', NULL, NULL, NULL, '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-68cd95ba59714e1b-03"}', NULL),
('019ac0de-0017-7000-8000-000000000017', '2026-11-30 13:05:38.422102+00', '2026-11-30 13:05:38.386647+00', '0', '0', '2', '0', '1', 'redriven', 'failed', 'fail', '4611686018427387931', '2026-11-30 13:05:38.419651+00', 'a worker of then', NULL, 'builtins.ValueError', E'ключ 👩‍🚀 é שלום   \\ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-1067d31c4efa069c-03"}', '2026-11-30 13:05:38.506773+00'),
('019ac0de-0018-7000-8000-000000000018', '2026-11-30 13:05:38.619305+00', '2026-11-30 13:05:38.583627+00', '0', '0', '2', '0', '1', 'redriven_twice', 'failed', 'fail', '4611686018427387933', '2026-11-30 13:05:38.614355+00', 'a worker of then', NULL, 'builtins.ValueError', E'ключ 👩‍🚀 é שלום   \\ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-117fec47fb0c4817-03"}', '2026-11-30 13:05:38.655507+00'),
('019ac0de-0018-7000-8000-000000000018', '2026-11-30 13:05:38.704654+00', '2026-11-30 13:05:38.686964+00', '0', '0', '2', '0', '2', 'redriven_twice', 'failed', 'fail', '4611686018427387935', '2026-11-30 13:05:38.694425+00', 'a worker of then', NULL, 'builtins.ValueError', E'ключ 👩‍🚀 é שלום   \\ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-117fec47fb0c4817-03"}', '2026-11-30 13:05:38.731745+00'),
('019ac0de-001a-7000-8000-00000000001a', '2026-11-30 13:05:36.814984+00', '2026-11-30 13:05:36.713722+00', '0', '0', '1', '0', '0', 'completed', 'completed', 'complete', '4611686018427387904', '2026-11-30 13:05:36.737363+00', 'a worker of then', '{"of": [null, true, "üA"], "sum": 1.50}', NULL, NULL, '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-68117a22c9e2d82f-03"}', NULL),
('019ac0de-001b-7000-8000-00000000001b', '2026-11-30 13:05:36.882913+00', '2026-11-30 13:05:36.877957+00', '0', '0', '3', '0', '0', 'completed_late', 'completed', 'complete', '4611686018427387907', '2026-11-30 13:05:36.879748+00', 'a worker of then', '[]', NULL, NULL, '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-0f168a6b33154cd7-03"}', NULL),
('019ac0de-001c-7000-8000-00000000001c', '2026-11-30 13:05:36.899815+00', '2026-11-30 13:05:36.884503+00', '0', '0', '1', '0', '0', 'completed_elsewhere', 'continued', 'continue', '4611686018427387908', '2026-11-30 13:05:36.887708+00', 'a worker of then', NULL, NULL, NULL, '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-06fc36bd9a37b780-03"}', NULL),
('019ac0de-001c-7000-8000-00000000001c', '2026-11-30 13:05:36.910873+00', '2026-11-30 13:05:36.906748+00', '1', '-3', '2', '0', '0', 'next', 'continued', 'continue', '4611686018427387910', '2026-11-30 13:05:36.908212+00', 'a worker of then', NULL, NULL, NULL, NULL, NULL),
('019ac0de-001c-7000-8000-00000000001c', '2026-11-30 13:05:36.917438+00', '2026-11-30 13:05:36.910873+00', '2', '-3', '1', '0', '0', 'next', 'completed', 'complete', '4611686018427387911', '2026-11-30 13:05:36.915591+00', 'a worker of then', '"done"', NULL, NULL, NULL, NULL),
('019ac0de-001d-7000-8000-00000000001d', '2026-11-30 13:05:36.925252+00', '2026-11-30 13:05:36.920791+00', '0', '0', '0', '0', '0', 'completed_by_client', 'completed', 'complete_externally', NULL, NULL, NULL, E'"ключ 👩‍🚀 é שלום   \\\\ \\" '' ; -- {schema} $1 %s"', NULL, NULL, NULL, NULL),
('019ac0de-001e-7000-8000-00000000001e', '2026-11-30 13:05:36.980741+00', '2026-11-30 13:05:36.942713+00', '0', '0', '1', '0', '0', 'key_lasts', 'completed', 'complete', '4611686018427387912', '2026-11-30 13:05:36.944557+00', 'a worker of then', 'null', NULL, NULL, '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-87c24ff329caa660-03"}', NULL),
('019ac0de-001f-7000-8000-00000000001f', '2026-11-30 13:05:37.139024+00', '2026-11-30 13:05:37.10713+00', '0', '0', '2', '0', '0', 'failed', 'failed', 'fail', '4611686018427387914', '2026-11-30 13:05:37.128355+00', 'a worker of then', NULL, 'builtins.ValueError', E'ключ 👩‍🚀 é שלום   \\ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-f4a479725b0321e5-03"}', NULL),
('019ac0de-0020-7000-8000-000000000020', '2026-11-30 13:05:37.172566+00', '2026-11-30 13:05:37.172566+00', '0', '0', '0', '0', '0', 'failed_by_blocker', 'failed', 'fail_by_blocker', NULL, NULL, NULL, NULL, 'otelq.blocker_failed', 'the blocker 019ac0de-001f-7000-8000-00000000001f ended failed', NULL, NULL),
('019ac0de-0021-7000-8000-000000000021', '2026-11-30 13:05:37.229324+00', '2026-11-30 14:05:37.189812+00', '0', '0', '0', '0', '0', 'cancelled', 'cancelled', 'cancel', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0022-7000-8000-000000000022', '2026-11-30 13:05:37.229324+00', '2026-11-30 13:05:37.194309+00', '0', '0', '1', '0', '0', 'cancelled_running', 'cancelled', 'cancel', '4611686018427387915', '2026-11-30 13:05:37.202227+00', 'a worker of then', NULL, NULL, NULL, NULL, NULL),
('019ac0de-0023-7000-8000-000000000023', '2026-11-30 13:05:36.702347+00', '2026-11-30 13:05:36.670903+00', '0', '0', '0', '0', '0', 'expired', 'cancelled', 'expire', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
('019ac0de-0024-7000-8000-000000000024', '2026-11-30 13:05:39.517585+00', '2026-11-30 13:05:39.350402+00', '0', '0', '1', '0', '0', 'released_blocker', 'completed', 'complete', '4611686018427387939', '2026-11-30 13:05:39.502726+00', 'a worker of then', '"closed"', NULL, NULL, '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-9bb6a869950e12f6-03"}', NULL),
('019ac0de-0025-7000-8000-000000000025', '2026-11-30 13:05:37.359417+00', '2026-11-30 13:05:37.326677+00', '0', '0', '2', '0', '0', 'taken_over', 'completed', 'complete', '4611686018427387917', '2026-11-30 13:05:37.346717+00', 'a worker of then', '7', NULL, NULL, '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-c3518203eaa31622-03"}', NULL);

INSERT INTO otelq.attempt (chain_id, token, claimed_at, ended_at, due_at, position, number, generation, verb, worker, error_type, error_text, trace) VALUES
('019ac0de-0006-7000-8000-000000000006', '4611686018427387920', '2026-11-30 13:05:37.457477+00', '2026-11-30 13:05:37.511652+00', '2026-11-30 13:05:37.511652+00', '0', '1', '0', 'reap', 'a worker of then', 'otelq.lease_lost', 'the lease of a worker of then ran out in attempt 1', NULL),
('019ac0de-0006-7000-8000-000000000006', '4611686018427387921', '2026-11-30 13:05:37.577185+00', '2026-11-30 13:05:37.614356+00', '2026-11-30 13:05:37.614356+00', '0', '2', '0', 'reap', 'a worker of then', 'otelq.lease_lost', 'the lease of a worker of then ran out in attempt 2', NULL),
('019ac0de-0007-7000-8000-000000000007', '4611686018427387922', '2026-11-30 13:05:37.747761+00', '2026-11-30 13:05:37.760123+00', '2026-11-30 13:05:37.760123+00', '0', '1', '0', 'retry', 'a worker of then', 'builtins.ValueError', E'ключ 👩‍🚀 é שלום   \\ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-76a73322e0bd4f2a-03"}'),
('019ac0de-0007-7000-8000-000000000007', '4611686018427387923', '2026-11-30 13:05:37.794301+00', '2026-11-30 13:05:37.839049+00', '2026-11-30 13:05:37.839049+00', '0', '2', '0', 'retry', 'a worker of then', 'builtins.ValueError', E'ключ 👩‍🚀 é שלום   \\ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-76a73322e0bd4f2a-03"}'),
('019ac0de-0007-7000-8000-000000000007', '4611686018427387924', '2026-11-30 13:05:37.860851+00', '2026-11-30 13:05:37.873716+00', '2026-11-30 13:05:37.873716+00', '0', '3', '0', 'retry', 'a worker of then', 'builtins.ValueError', E'ключ 👩‍🚀 é שלום   \\ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-76a73322e0bd4f2a-03"}'),
('019ac0de-0008-7000-8000-000000000008', '4611686018427387925', '2026-11-30 13:05:37.893365+00', '2026-11-30 13:05:37.894865+00', '2026-11-30 13:05:37.894865+00', '0', '1', '0', 'retry', 'a worker of then', 'builtins.ValueError', E'ключ 👩‍🚀 é שלום   \\ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-cdd7b36ec58cb9b9-03"}'),
('019ac0de-0008-7000-8000-000000000008', '4611686018427387926', '2026-11-30 13:05:37.910782+00', '2026-11-30 13:05:37.932687+00', '2026-11-30 13:05:37.932687+00', '0', '2', '0', 'snooze', 'a worker of then', NULL, NULL, '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-cdd7b36ec58cb9b9-03"}'),
('019ac0de-0008-7000-8000-000000000008', '4611686018427387927', '2026-11-30 13:05:37.984321+00', '2026-11-30 13:05:37.99167+00', '2026-11-30 14:05:37.99167+00', '0', '2', '0', 'snooze', 'a worker of then', NULL, NULL, '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-cdd7b36ec58cb9b9-03"}'),
('019ac0de-0009-7000-8000-000000000009', '4611686018427387928', '2026-11-30 13:05:38.020185+00', '2026-11-30 13:05:38.022952+00', '2026-11-30 13:05:38.022952+00', '0', '1', '0', 'release', 'a worker of then', NULL, NULL, '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-6393dd636d86d6e5-03"}'),
('019ac0de-000e-7000-8000-00000000000e', '4611686018427387936', '2026-11-30 13:05:38.957098+00', '2026-11-30 13:05:38.962875+00', '2026-11-30 13:05:38.962875+00', '0', '1', '0', 'retry', 'a worker of then', 'builtins.ValueError', E'ключ 👩‍🚀 é שלום   \\ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-3e2ccbd1ce313956-03"}'),
('019ac0de-000e-7000-8000-00000000000e', '4611686018427387937', '2026-11-30 13:05:38.997771+00', '2026-11-30 13:05:39.263361+00', NULL, '0', '2', '0', 'block', 'a worker of then', NULL, NULL, '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-3e2ccbd1ce313956-03"}'),
('019ac0de-0017-7000-8000-000000000017', '4611686018427387930', '2026-11-30 13:05:38.353494+00', '2026-11-30 13:05:38.386647+00', '2026-11-30 13:05:38.386647+00', '0', '1', '1', 'retry', 'a worker of then', 'builtins.ValueError', E'ключ 👩‍🚀 é שלום   \\ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-1067d31c4efa069c-03"}'),
('019ac0de-0018-7000-8000-000000000018', '4611686018427387932', '2026-11-30 13:05:38.550643+00', '2026-11-30 13:05:38.583627+00', '2026-11-30 13:05:38.583627+00', '0', '1', '1', 'retry', 'a worker of then', 'builtins.ValueError', E'ключ 👩‍🚀 é שלום   \\ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-117fec47fb0c4817-03"}'),
('019ac0de-0018-7000-8000-000000000018', '4611686018427387934', '2026-11-30 13:05:38.663056+00', '2026-11-30 13:05:38.686964+00', '2026-11-30 13:05:38.686964+00', '0', '1', '2', 'retry', 'a worker of then', 'builtins.ValueError', E'ключ 👩‍🚀 é שלום   \\ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-117fec47fb0c4817-03"}'),
('019ac0de-001b-7000-8000-00000000001b', '4611686018427387905', '2026-11-30 13:05:36.864235+00', '2026-11-30 13:05:36.870874+00', '2026-11-30 13:05:36.870874+00', '0', '1', '0', 'retry', 'a worker of then', 'builtins.ValueError', E'ключ 👩‍🚀 é שלום   \\ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-0f168a6b33154cd7-03"}'),
('019ac0de-001b-7000-8000-00000000001b', '4611686018427387906', '2026-11-30 13:05:36.875906+00', '2026-11-30 13:05:36.877957+00', '2026-11-30 13:05:36.877957+00', '0', '2', '0', 'retry', 'a worker of then', 'builtins.ValueError', E'ключ 👩‍🚀 é שלום   \\ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-0f168a6b33154cd7-03"}'),
('019ac0de-001c-7000-8000-00000000001c', '4611686018427387909', '2026-11-30 13:05:36.903775+00', '2026-11-30 13:05:36.906748+00', '2026-11-30 13:05:36.906748+00', '1', '1', '0', 'retry', 'a worker of then', 'builtins.ValueError', E'ключ 👩‍🚀 é שלום   \\ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …', NULL),
('019ac0de-001f-7000-8000-00000000001f', '4611686018427387913', '2026-11-30 13:05:37.099137+00', '2026-11-30 13:05:37.10713+00', '2026-11-30 13:05:37.10713+00', '0', '1', '0', 'retry', 'a worker of then', 'builtins.ValueError', E'ключ 👩‍🚀 é שלום   \\ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …', '{"c":"00-6408891f8a1e9331fb93fa57d5ce8e68-f4a479725b0321e5-03"}'),
('019ac0de-0025-7000-8000-000000000025', '4611686018427387916', '2026-11-30 13:05:37.261401+00', '2026-11-30 13:05:37.326677+00', '2026-11-30 13:05:37.326677+00', '0', '1', '0', 'take_over', 'a worker of then', NULL, NULL, NULL);

INSERT INTO otelq.blocker (chain_id, blocker_id, released_at, position, ordinal, patient) VALUES
('019ac0de-000a-7000-8000-00000000000a', '019ac0de-0001-7000-8000-000000000001', NULL, '0', '0', 'false'),
('019ac0de-000a-7000-8000-00000000000a', '019ac0de-0003-7000-8000-000000000003', NULL, '0', '1', 'false'),
('019ac0de-000b-7000-8000-00000000000b', '019ac0de-0003-7000-8000-000000000003', NULL, '0', '0', 'false'),
('019ac0de-000b-7000-8000-00000000000b', '019ac0de-0002-7000-8000-000000000002', NULL, '0', '1', 'false'),
('019ac0de-000c-7000-8000-00000000000c', '019ac0de-001f-7000-8000-00000000001f', '2026-11-30 13:05:38.901724+00', '0', '0', 'false'),
('019ac0de-000c-7000-8000-00000000000c', '019ac0de-0001-7000-8000-000000000001', NULL, '0', '1', 'false'),
('019ac0de-000d-7000-8000-00000000000d', '019ac0de-001f-7000-8000-00000000001f', NULL, '0', '0', 'true'),
('019ac0de-000e-7000-8000-00000000000e', '019ac0de-0001-7000-8000-000000000001', NULL, '0', '0', 'false'),
('019ac0de-000e-7000-8000-00000000000e', '019ac0de-001f-7000-8000-00000000001f', '2026-11-30 13:05:39.263361+00', '0', '1', 'false'),
('019ac0de-000f-7000-8000-00000000000f', '019ac0de-0024-7000-8000-000000000024', NULL, '0', '0', 'false'),
('019ac0de-0011-7000-8000-000000000011', '019ac0de-0003-7000-8000-000000000003', NULL, '1', '0', 'false'),
('019ac0de-0011-7000-8000-000000000011', '019ac0de-001a-7000-8000-00000000001a', '2026-11-30 13:05:39.339506+00', '1', '1', 'false'),
('019ac0de-0020-7000-8000-000000000020', '019ac0de-001f-7000-8000-00000000001f', '2026-11-30 13:05:37.172566+00', '0', '0', 'false');

INSERT INTO otelq.dedup_key (type, key, chain_id) VALUES
('key_held', 'key', '019ac0de-0012-7000-8000-000000000012'),
('key_lasts', E'ключ 👩‍🚀 é שלום   \\ " '' ; -- {schema} $1 %s', '019ac0de-001e-7000-8000-00000000001e');

INSERT INTO otelq.pending_unblock (blocker_id, since) VALUES
('019ac0de-0024-7000-8000-000000000024', '2026-11-30 13:05:39.517585+00');

INSERT INTO ledger (chain_id, position, token) VALUES
('019ac0de-0010-7000-8000-000000000010', '0', '4611686018427387929'),
('019ac0de-0011-7000-8000-000000000011', '0', '4611686018427387938'),
('019ac0de-001a-7000-8000-00000000001a', '0', '4611686018427387904'),
('019ac0de-001b-7000-8000-00000000001b', '0', '4611686018427387907'),
('019ac0de-001c-7000-8000-00000000001c', '0', '4611686018427387908'),
('019ac0de-001c-7000-8000-00000000001c', '1', '4611686018427387910'),
('019ac0de-001c-7000-8000-00000000001c', '2', '4611686018427387911'),
('019ac0de-001e-7000-8000-00000000001e', '0', '4611686018427387912'),
('019ac0de-0024-7000-8000-000000000024', '0', '4611686018427387939'),
('019ac0de-0025-7000-8000-000000000025', '0', '4611686018427387917');
