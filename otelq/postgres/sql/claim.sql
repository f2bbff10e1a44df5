-- Leases jobs that are due: one probe of the index for each type and priority in use, best priority first.
--
-- An ORDER BY over several types or priorities would sort the backlog. Here each probe reads its rows in index order,
-- and the nested laterals pull and lock them one by one, so that the limit of a type stops the locking too: no row is
-- locked that is not claimed. Priorities are found by jumping from one to the next, so that rows scheduled for later
-- are never walked.
--
-- SKIP LOCKED: another claim, or a user's transaction, may hold a row; the next one will do as well.
--
-- A suspect (its worker may have died of it) is claimed when fewer jobs are ahead of it than its type may claim, and
-- only one in a claim, so that no worker runs two at a time.
--
-- A claim that is lost in a crash only means another run under another token. So it need not wait for the disk; the
-- setting ends with the transaction, and works behind a pooler.
WITH async_commit AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true)
),
wanted AS MATERIALIZED (
    SELECT
        w.*,
        least({now} + (w.lease * interval '1 second'), {now} + (w.timeout * interval '1 second')) AS leased_until,
        {now} + (w.timeout * interval '1 second') AS deadline
    FROM async_commit, unnest(
        (SELECT $2::text[]), (SELECT $3::integer[]), (SELECT $4::float8[]), (SELECT $5::float8[])
    ) AS w (type, most, lease, timeout)
),
level AS MATERIALIZED (
    SELECT wanted.type, l.priority
    FROM wanted
    CROSS JOIN LATERAL (
        WITH RECURSIVE level (priority) AS (
            {next_priority}
            WHERE level.priority IS NOT NULL
        )
        SELECT priority FROM level WHERE priority IS NOT NULL
    ) AS l
),
suspect AS MATERIALIZED (
    SELECT locked.chain_id, w.type
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
    ) AS locked
    WHERE (SELECT $8::boolean) AND w.most > (
        SELECT count(*)
        FROM level
        CROSS JOIN LATERAL (
            SELECT
            FROM {schema}.open_job AS o
            WHERE o.type = w.type AND o.priority = level.priority AND o.run_at <= {now}
                AND o.token IS NULL AND o.blocked_by = 0 AND o.crashes = 0
                AND (level.priority < s.priority OR (o.run_at, o.chain_id) < (s.run_at, s.chain_id))
            ORDER BY o.run_at, o.chain_id
            LIMIT w.most
        ) AS before
        WHERE level.type = w.type AND level.priority <= s.priority
    )
    LIMIT 1
),
picked AS MATERIALIZED (
    SELECT p.chain_id
    FROM wanted AS w
    CROSS JOIN LATERAL (
        SELECT due.chain_id
        FROM level
        CROSS JOIN LATERAL (
            SELECT o.chain_id
            FROM {schema}.open_job AS o
            WHERE o.type = w.type AND o.priority = level.priority AND o.run_at <= {now}
                AND o.token IS NULL AND o.blocked_by = 0 AND o.crashes = 0
                AND (o.expires_at IS NULL OR o.attempt > 0 OR o.expires_at > {now})
            ORDER BY o.run_at, o.chain_id
            LIMIT w.most
            FOR UPDATE SKIP LOCKED
        ) AS due
        WHERE level.type = w.type
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
