-- Closes jobs by continuing their chains with successors that have blockers. The rows are locked. A successor whose
-- blocker failed already fails in the same commit, and the chain with it.
WITH item AS MATERIALIZED (
    SELECT
        i.*,
        greatest({now}, coalesce(i.at, {now} + (i.delay * interval '1 second'))) AS run_at,
        coalesce(i.next_priority, o.priority) AS priority,
        o.type, o.priority AS old_priority, o.run_at AS old_run_at, o.attempt, o.crashes, o.token, o.claimed_at,
        o.leased_by, o.waited_on, o.keyed
    FROM unnest(
        $3::uuid[], $4::integer[], $5::text[], $6::integer[], $7::text[], $8::text[],
        $9::text[], $10::text[], $11::text[], $12::integer[], $13::timestamptz[], $14::float8[], $15::text[],
        $16::text[], $17::text[], $18::timestamptz[], $19::integer[], $20::text[], $21::text[]
    ) WITH ORDINALITY AS i (
        chain_id, position, trace, blocked_by, error_type, error_text,
        next_type, next_queue, next_input, next_priority, at, delay, next_trace,
        next_meta, chain_type, chain_created_at, blockers, until, on_failure, n
    )
    CROSS JOIN LATERAL (
        SELECT * FROM {schema}.open_job AS o WHERE o.chain_id = i.chain_id OFFSET 0
    ) AS o
),
closed AS (
    INSERT INTO {schema}.outcome
        (chain_id, position, type, priority, run_at, attempt, crashes, token, claimed_at, worker, trace, closed_at,
         status, verb)
    SELECT
        chain_id, position, type, old_priority, old_run_at, attempt, crashes, token, claimed_at, leased_by, trace,
        {now}, 'continued', $2::text
    FROM item
),
created AS (
    INSERT INTO {schema}.job
        (chain_id, position, type, queue, input, priority, created_at, run_at, trace, meta, chain_type,
         chain_created_at, blockers, until, on_failure, born_blocked)
    SELECT
        chain_id, position + 1, next_type, next_queue, next_input::jsonb, priority, {now}, run_at, next_trace,
        next_meta::jsonb, chain_type, chain_created_at, blockers, until, on_failure,
        CASE WHEN blocked_by > 0 OR error_type IS NOT NULL THEN true END
    FROM item
),
moved AS (
    UPDATE {schema}.open_job AS o
    SET position = i.position + 1, type = i.next_type, priority = i.priority, run_at = i.run_at,
        attempt = 0, crashes = 0, blocked_by = i.blocked_by, last_trace = NULL, expires_at = NULL,
        token = NULL, leased_by = NULL, claimed_at = NULL, leased_until = NULL, deadline = NULL
    FROM item AS i
    WHERE o.chain_id = i.chain_id AND o.chain_id = ANY (ARRAY(SELECT chain_id FROM item WHERE error_type IS NULL))
),
removed AS (
    DELETE FROM {schema}.open_job
    WHERE chain_id = ANY (ARRAY(SELECT chain_id FROM item WHERE error_type IS NOT NULL))
),
failed AS (
    INSERT INTO {schema}.outcome
        (chain_id, position, type, priority, run_at, attempt, crashes, closed_at, status, verb, error_type, error_text)
    SELECT
        chain_id, position + 1, next_type, priority, run_at, 0, 0, {now}, 'failed', 'fail_by_blocker',
        error_type, error_text
    FROM item
    WHERE error_type IS NOT NULL
)
SELECT n::integer - 1 AS n, {now} AS at, run_at, keyed, waited_on
FROM item
ORDER BY n
