-- Leases jobs that are due: one probe of the index for each type and priority in use, best priority first.
--
-- Rows are pulled through the nested laterals one by one and locked as they come, so that the limit of a type stops
-- the locking too: no row is locked that is not claimed. Priorities are found by jumping from one to the next, so
-- that rows scheduled for later are never walked. A suspect is taken when fewer jobs stand before it than its type
-- may claim. A claim that is lost in a crash only means another run under another token, so it need not wait for
-- the disk.
WITH quick AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true)
),
wanted AS MATERIALIZED (
    SELECT
        w.*,
        least({now} + (w.lease * interval '1 second'), {now} + (w.timeout * interval '1 second')) AS leased_until,
        {now} + (w.timeout * interval '1 second') AS deadline
    FROM quick, unnest(
        (SELECT $2::text[]), (SELECT $3::integer[]), (SELECT $4::float8[]), (SELECT $5::float8[])
    ) AS w (type, most, lease, timeout)
),
lane AS MATERIALIZED (
    SELECT wanted.type, l.priority
    FROM wanted
    CROSS JOIN LATERAL (
        WITH RECURSIVE lane (priority) AS (
            {next_lane}
            WHERE lane.priority IS NOT NULL
        )
        SELECT priority FROM lane WHERE priority IS NOT NULL
    ) AS l
),
suspect AS MATERIALIZED (
    SELECT held.chain_id, w.type
    FROM wanted AS w
    CROSS JOIN LATERAL (
        SELECT o.chain_id, o.priority, o.run_at
        FROM {schema}.open_job AS o
        WHERE o.type = w.type AND o.run_at <= {now} AND o.token IS NULL AND o.blocked_by = 0 AND o.crashes > 0
        ORDER BY o.priority, o.run_at, o.chain_id
        LIMIT 5
    ) AS s
    CROSS JOIN LATERAL (
        SELECT o.chain_id
        FROM {schema}.open_job AS o
        WHERE o.chain_id = s.chain_id AND o.token IS NULL AND o.run_at <= {now}
        FOR UPDATE SKIP LOCKED
    ) AS held
    WHERE (SELECT $8::boolean) AND w.most > (
        SELECT count(*)
        FROM lane
        CROSS JOIN LATERAL (
            SELECT
            FROM {schema}.open_job AS o
            WHERE o.type = w.type AND o.priority = lane.priority AND o.run_at <= {now}
                AND o.token IS NULL AND o.blocked_by = 0 AND o.crashes = 0
                AND (lane.priority < s.priority OR (o.run_at, o.chain_id) < (s.run_at, s.chain_id))
            ORDER BY o.run_at, o.chain_id
            LIMIT w.most
        ) AS before
        WHERE lane.type = w.type AND lane.priority <= s.priority
    )
    LIMIT 1
),
picked AS MATERIALIZED (
    SELECT p.chain_id
    FROM wanted AS w
    CROSS JOIN LATERAL (
        SELECT due.chain_id
        FROM lane
        CROSS JOIN LATERAL (
            SELECT o.chain_id
            FROM {schema}.open_job AS o
            WHERE o.type = w.type AND o.priority = lane.priority AND o.run_at <= {now}
                AND o.token IS NULL AND o.blocked_by = 0 AND o.crashes = 0
                AND (o.expires_at IS NULL OR o.attempt > 0 OR o.expires_at > {now})
            ORDER BY o.run_at, o.chain_id
            LIMIT w.most
            FOR UPDATE SKIP LOCKED
        ) AS due
        WHERE lane.type = w.type
        LIMIT w.most - (SELECT count(*) FROM suspect WHERE suspect.type = w.type)
    ) AS p
    UNION ALL
    SELECT chain_id FROM suspect
),
leased AS (
    UPDATE {schema}.open_job AS o
    SET token = $6::bigint, leased_by = $7::text, claimed_at = {now}, leased_until = w.leased_until, deadline = w.deadline,
        attempt = o.attempt + 1
    FROM wanted AS w
    WHERE o.chain_id = ANY (ARRAY(SELECT chain_id FROM picked)) AND w.type = o.type
    RETURNING
        o.chain_id, o.position, o.type, o.priority, o.run_at, o.attempt, o.crashes, o.leased_until, o.last_trace
)
SELECT
    o.chain_id::text, o.position, o.type, o.priority, o.run_at, o.attempt, o.crashes, o.leased_until, o.last_trace,
    j.queue, coalesce(j.amended_input, j.input)::text AS input, j.created_at, j.trace, j.meta::text, j.blockers, j.chain_type, j.chain_created_at,
    {now} AS claimed_at
FROM leased AS o
CROSS JOIN LATERAL (
    SELECT * FROM {schema}.job AS j WHERE j.chain_id = o.chain_id AND j.position = o.position OFFSET 0
) AS j
ORDER BY o.type, o.priority, o.run_at, o.chain_id
