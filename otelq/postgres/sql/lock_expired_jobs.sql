-- Locks jobs that no worker started in time, oldest first. SKIP LOCKED: a claim that has the row starts the job.
SELECT
    o.chain_id::text, o.position, o.token, o.type, j.queue, coalesce(j.chain_type, o.type) AS chain_type,
    CASE
        WHEN o.blocked_by > 0 THEN 'blocked'
        WHEN o.run_at > {now} THEN 'scheduled'
        ELSE 'ready'
    END AS status,
    o.attempt, o.crashes, o.leased_by, j.created_at, coalesce(j.chain_created_at, j.created_at) AS chain_created_at,
    j.trace, o.last_trace, {now} AS at, o.run_at
FROM (
    SELECT *
    FROM {schema}.open_job
    WHERE expires_at IS NOT NULL AND expires_at <= {now} AND token IS NULL AND attempt = 0 AND crashes = 0
    ORDER BY expires_at
    LIMIT $2::integer
    FOR UPDATE SKIP LOCKED
) AS o
CROSS JOIN LATERAL (
    SELECT * FROM {schema}.job AS j WHERE j.chain_id = o.chain_id AND j.position = o.position OFFSET 0
) AS j
ORDER BY o.expires_at, o.chain_id
