-- Reads the job that continued a chain, as it was created, and if the worker that asked for it still has its lease.
SELECT
    j.created_at AS at, j.type, j.queue, j.input::text, j.priority, j.run_at, j.trace, j.meta::text,
    coalesce(o.token = $3::bigint, false) AS is_claimed, o.leased_until,
    j.blockers, j.born_blocked IS NOT NULL AS born_blocked,
    (
        SELECT c.error_type
        FROM {schema}.outcome AS c
        WHERE c.chain_id = j.chain_id AND c.position = j.position
            AND c.verb = 'fail_by_blocker' AND c.closed_at = j.created_at
    ) AS failed_with
FROM {schema}.job AS j
LEFT JOIN {schema}.open_job AS o ON o.chain_id = j.chain_id AND o.position = j.position
WHERE j.chain_id = $1::uuid AND j.position = $2::integer
