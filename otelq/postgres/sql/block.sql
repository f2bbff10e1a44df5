-- Ends attempts of running jobs that begin to wait, and gives the attempts back. The rows are locked. A job whose
-- blockers are all closed is due at once; one whose blocker failed, fails here with its chain.
WITH item AS MATERIALIZED (
    SELECT i.*, o.type, o.priority, o.token, o.claimed_at, o.attempt, o.crashes, o.leased_by, o.waited_on, o.keyed
    FROM unnest(
        $2::uuid[], $3::integer[], $4::text[], $5::integer[], $6::text[], $7::text[]
    ) WITH ORDINALITY AS i (chain_id, position, trace, blocked_by, error_type, error_text, n)
    CROSS JOIN LATERAL (
        SELECT * FROM {schema}.open_job AS o WHERE o.chain_id = i.chain_id OFFSET 0
    ) AS o
),
ended AS (
    INSERT INTO {schema}.attempt
        (chain_id, position, token, number, verb, worker, claimed_at, ended_at, due_at, trace)
    SELECT
        chain_id, position, token, attempt, 'block', leased_by, claimed_at, {now},
        CASE WHEN blocked_by = 0 AND error_type IS NULL THEN {now} END, trace
    FROM item
),
waiting AS (
    UPDATE {schema}.open_job AS o
    SET run_at = {now}, attempt = i.attempt - 1, blocked_by = i.blocked_by, last_trace = i.trace,
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
        chain_id, position, type, priority, {now}, attempt - 1, crashes, {now}, 'failed', 'fail_by_blocker',
        error_type, error_text
    FROM item
    WHERE error_type IS NOT NULL
)
SELECT n::integer - 1 AS n, {now} AS at, {now} AS run_at, keyed, waited_on
FROM item
ORDER BY n
