-- Seconds until a lease of these types runs out, a job expires, or dependents of a closed chain are pending: what the
-- reaper sleeps to. Three probes of small partial indexes, in place of three statements that lock and find nothing.
SELECT extract(epoch FROM least(
    (
        SELECT min(leased_until)
        FROM {schema}.open_job
        WHERE token IS NOT NULL AND type = ANY ($2::text[]) AND token <> ALL ($3::bigint[])
    ),
    (
        SELECT min(expires_at)
        FROM {schema}.open_job
        WHERE expires_at IS NOT NULL AND token IS NULL AND attempt = 0 AND crashes = 0
    ),
    (SELECT {now} FROM {schema}.pending_unblock ORDER BY blocker_id LIMIT 1)
) - {now})::float8 AS seconds
