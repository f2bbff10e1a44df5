-- Closes chains: each under the token that its row has now, null for one that does not run. The verb is the same for
-- all; it is null for a worker's own closes, whose verb follows from the outcome.
--
-- The lock re-checks token and condition on the newest version of the row (READ COMMITTED), not on the snapshot's. So
-- a worker that lost its lease writes nothing, and a row that a start has just marked as waited on is left out where
-- the condition says so. Dedup keys and dependents are left to later statements: this one's snapshot is too old to see
-- the blocker rows of such a start.
WITH item AS MATERIALIZED (
    SELECT *
    FROM unnest(
        $3::uuid[], $4::integer[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[]
    ) WITH ORDINALITY AS i (chain_id, position, token, output, error_type, error_text, trace, n)
),
locked AS MATERIALIZED (
    SELECT
        i.n, i.output, i.error_type, i.error_text, i.trace,
        o.chain_id, o.position, o.type, o.priority, o.run_at, o.attempt, o.crashes, o.token, o.claimed_at,
        o.leased_by, o.waited_on, o.keyed
    FROM item AS i
    CROSS JOIN LATERAL (
        SELECT o.*
        FROM {schema}.open_job AS o
        WHERE o.chain_id = i.chain_id AND o.position = i.position
            AND coalesce(o.token = i.token, o.token IS NULL AND i.token IS NULL) {condition}
        {lock}
    ) AS o
),
removed AS (
    DELETE FROM {schema}.open_job
    WHERE chain_id = ANY (ARRAY(SELECT chain_id FROM locked))
),
closed AS (
    INSERT INTO {schema}.outcome
        (chain_id, position, type, priority, run_at, attempt, crashes, token, claimed_at, worker, trace, closed_at,
         status, verb, output, error_type, error_text)
    SELECT
        chain_id, position, type, priority, run_at, attempt, crashes + coalesce($2::text = 'reap', false)::integer,
        token, claimed_at, leased_by, trace, {now},
        CASE
            WHEN output IS NOT NULL THEN 'completed'
            WHEN error_type IS NOT NULL THEN 'failed'
            ELSE 'cancelled'
        END,
        coalesce($2::text, CASE WHEN output IS NOT NULL THEN 'complete' ELSE 'fail' END), output::jsonb, error_type, error_text
    FROM locked
)
SELECT
    {now} AS at,
    ARRAY(SELECT n::integer - 1 FROM locked) AS written,
    ARRAY(SELECT chain_id::text FROM locked WHERE keyed) AS keyed,
    ARRAY(SELECT chain_id::text FROM locked WHERE waited_on) AS waited_on
