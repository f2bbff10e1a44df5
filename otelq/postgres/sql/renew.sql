-- Extends leases from now, never past the deadline. Returns the items that were written.
--
-- SKIP LOCKED: a user's lock on one row must not stop the renewal of the others. NO KEY UPDATE: a lock against deletion
-- only is no obstacle. No index has leased_until, so none changes; and a renewal that is lost in a crash only means
-- another run, so it need not wait for the disk.
WITH async_commit AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true)
),
locked AS MATERIALIZED (
    SELECT i.n, i.chain_id, least({now} + (i.seconds * interval '1 second'), o.deadline) AS leased_until
    FROM async_commit, unnest($2::uuid[], $3::integer[], $4::bigint[], $5::float8[])
        WITH ORDINALITY AS i (chain_id, position, token, seconds, n)
    CROSS JOIN LATERAL (
        SELECT o.deadline
        FROM {schema}.open_job AS o
        WHERE o.chain_id = i.chain_id AND o.position = i.position AND o.token = i.token
            AND (o.deadline IS NULL OR o.deadline > {now})
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS o
),
extended AS (
    UPDATE {schema}.open_job AS o
    SET leased_until = h.leased_until
    FROM locked AS h
    WHERE o.chain_id = h.chain_id AND o.chain_id = ANY (ARRAY(SELECT chain_id FROM locked))
)
SELECT ARRAY(SELECT n::integer - 1 FROM locked) AS written
