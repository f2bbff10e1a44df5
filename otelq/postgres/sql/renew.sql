-- Extends leases from now, never past the deadline and never waiting for a lock. Says which. No index changes, and
-- a renewal lost in a crash only means another run, so it need not wait for the disk.
WITH quick AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true)
),
held AS MATERIALIZED (
    SELECT i.n, i.chain_id, least({now} + (i.seconds * interval '1 second'), o.deadline) AS leased_until
    FROM quick, unnest($2::uuid[], $3::integer[], $4::bigint[], $5::float8[])
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
    FROM held AS h
    WHERE o.chain_id = h.chain_id AND o.chain_id = ANY (ARRAY(SELECT chain_id FROM held))
)
SELECT ARRAY(SELECT n::integer - 1 FROM held) AS written
