-- Ends attempts that do not close their jobs: retries, snoozes, releases, reaps, and leases ended by request. Snoozes
-- and releases give the attempt back. The lock re-checks the token on the newest version of the row.
WITH item AS MATERIALIZED (
    SELECT *
    FROM unnest(
        $2::uuid[], $3::integer[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::float8[]
    ) WITH ORDINALITY AS i (chain_id, position, token, trace, verb, error_type, error_text, delay, n)
),
locked AS MATERIALIZED (
    SELECT i.*, {now} + (i.delay * interval '1 second') AS run_at, o.attempt, o.claimed_at, o.leased_by
    FROM item AS i
    CROSS JOIN LATERAL (
        SELECT o.*
        FROM {schema}.open_job AS o
        WHERE o.chain_id = i.chain_id AND o.position = i.position AND o.token = i.token
        {lock}
    ) AS o
),
ended AS (
    INSERT INTO {schema}.attempt
        (chain_id, position, token, number, verb, worker, claimed_at, ended_at, due_at, error_type, error_text, trace)
    SELECT
        chain_id, position, token, attempt, verb, leased_by, claimed_at, {now}, run_at, error_type, error_text, trace
    FROM locked
),
waiting AS (
    UPDATE {schema}.open_job AS o
    SET run_at = h.run_at, attempt = h.attempt - (h.verb <> ALL (ARRAY['retry', 'reap', 'take_over']))::integer,
        crashes = o.crashes + (h.verb = 'reap')::integer,
        last_trace = CASE WHEN h.verb = ANY (ARRAY['reap', 'take_over']) THEN o.last_trace ELSE h.trace END,
        token = NULL, leased_by = NULL, claimed_at = NULL, leased_until = NULL, deadline = NULL
    FROM locked AS h
    WHERE o.chain_id = h.chain_id AND o.chain_id = ANY (ARRAY(SELECT chain_id FROM locked))
)
SELECT h.n::integer - 1 AS n, {now} AS at, h.run_at
FROM locked AS h
