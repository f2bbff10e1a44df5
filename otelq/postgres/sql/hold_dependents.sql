-- Locks, in ascending order, a bounded number of the jobs that still wait for closed chains. Where one that
-- somebody else has locked is passed over, two blockers that close in two open transactions never wait for each other.
WITH waiting AS MATERIALIZED (
    SELECT DISTINCT b.chain_id
    FROM {schema}.blocker AS b
    WHERE b.blocker_id = ANY ($1::uuid[]) AND b.released_at IS NULL
    ORDER BY b.chain_id
    LIMIT $2
),
held AS MATERIALIZED (
    SELECT o.chain_id
    FROM waiting AS w
    CROSS JOIN LATERAL (
        SELECT o.chain_id FROM {schema}.open_job AS o WHERE o.chain_id = w.chain_id {lock}
    ) AS o
)
SELECT ARRAY(SELECT chain_id::text FROM held) AS held, (SELECT count(*) FROM waiting) AS waiting
