-- Releases or fails jobs that waited for closed chains, by these blocker rows. The jobs are locked. This is a statement
-- of its own, so that its snapshot has the jobs as the transactions left them that had the locks before.
--
-- Blockers are counted per job first: a joined decrement would count one where two close in one batch. A job fails by
-- the first of its blockers, in the order given, that did not complete.
--
-- How many blockers each job still awaits is looked up in a JSON object: a join would become a loop in a loop while
-- the planner takes open_job for empty.
WITH awaiting AS MATERIALIZED (
    SELECT b.chain_id, b.position, b.blocker_id, b.ordinal, c.status
    FROM unnest($2::uuid[], $3::integer[], $4::uuid[]) AS i (chain_id, position, blocker_id)
    CROSS JOIN LATERAL (
        SELECT *
        FROM {schema}.blocker AS b
        WHERE b.chain_id = i.chain_id AND b.position = i.position AND b.blocker_id = i.blocker_id
        OFFSET 0
    ) AS b
    CROSS JOIN LATERAL (
        SELECT c.status
        FROM {schema}.outcome AS c
        WHERE c.chain_id = b.blocker_id AND c.generation = 0
        ORDER BY c.position DESC
        LIMIT 1
    ) AS c
    WHERE b.released_at IS NULL AND (c.status = 'completed' OR (c.status <> 'continued' AND NOT b.patient))
),
tally AS (
    SELECT
        chain_id, position,
        count(*)::integer AS closed,
        count(*) FILTER (WHERE status = 'completed') AS completed,
        (array_agg(blocker_id ORDER BY ordinal) FILTER (WHERE status <> 'completed'))[1] AS failed_id,
        (array_agg(status ORDER BY ordinal) FILTER (WHERE status <> 'completed'))[1] AS failed_status
    FROM awaiting
    GROUP BY chain_id, position
),
tallied AS MATERIALIZED (
    SELECT
        o.chain_id, o.position, o.type, o.priority, o.run_at, o.attempt, o.crashes, o.waited_on, o.keyed, o.last_trace,
        greatest(o.run_at, {now}) AS due_at, o.blocked_by - t.closed AS awaited, t.failed_id, t.failed_status,
        j.queue, j.created_at, j.trace, j.chain_type, j.chain_created_at,
        j.until IS NOT NULL AND (t.completed > 0 OR j.on_failure IS NOT NULL) AS is_enough,
        t.failed_id IS NOT NULL AND j.on_failure IS NULL
            AND (j.until IS NULL OR (t.completed = 0 AND o.blocked_by = t.closed)) AS is_lost
    FROM tally AS t
    CROSS JOIN LATERAL (
        SELECT * FROM {schema}.open_job AS o WHERE o.chain_id = t.chain_id AND o.position = t.position OFFSET 0
    ) AS o
    CROSS JOIN LATERAL (
        SELECT * FROM {schema}.job AS j WHERE j.chain_id = t.chain_id AND j.position = t.position OFFSET 0
    ) AS j
),
decided AS MATERIALIZED (
    SELECT *, NOT is_lost AND (is_enough OR awaited = 0) AS is_free FROM tallied
),
freed AS MATERIALIZED (
    SELECT chain_id, position, blocker_id FROM awaiting
    UNION
    SELECT b.chain_id, b.position, b.blocker_id
    FROM decided AS f
    CROSS JOIN LATERAL (
        SELECT *
        FROM {schema}.blocker AS b
        WHERE b.chain_id = f.chain_id AND b.position = f.position AND b.released_at IS NULL
        OFFSET 0
    ) AS b
    WHERE f.awaited > 0 AND (f.is_lost OR f.is_free)
),
released AS (
    UPDATE {schema}.blocker AS b
    SET released_at = {now}
    FROM freed AS f
    WHERE b.chain_id = f.chain_id AND b.position = f.position AND b.blocker_id = f.blocker_id
),
waiting AS MATERIALIZED (
    SELECT coalesce(jsonb_object_agg(chain_id, awaited) FILTER (WHERE NOT is_free), '{}') AS awaited FROM decided
),
unblocked AS (
    UPDATE {schema}.open_job AS o
    SET blocked_by = coalesce((w.awaited ->> o.chain_id::text)::integer, 0),
        run_at = CASE WHEN w.awaited ->> o.chain_id::text IS NULL THEN greatest(o.run_at, {now}) ELSE o.run_at END
    FROM waiting AS w
    WHERE o.chain_id = ANY (ARRAY(SELECT chain_id FROM decided WHERE NOT is_lost))
),
removed AS (
    DELETE FROM {schema}.open_job
    WHERE chain_id = ANY (ARRAY(SELECT chain_id FROM decided WHERE is_lost))
),
failed AS (
    INSERT INTO {schema}.outcome
        (chain_id, position, type, priority, run_at, attempt, crashes, closed_at, status, verb, error_type, error_text)
    SELECT
        chain_id, position, type, priority, run_at, attempt, crashes, {now}, 'failed', 'fail_by_blocker',
        'otelq.blocker_failed', format('the blocker %s ended %s', failed_id, failed_status)
    FROM decided
    WHERE is_lost
)
SELECT
    f.chain_id::text, f.position, NULL AS token, f.type, f.queue, coalesce(f.chain_type, f.type) AS chain_type,
    'blocked' AS status,
    f.attempt, f.crashes, NULL AS leased_by, f.created_at, coalesce(f.chain_created_at, f.created_at) AS chain_created_at,
    f.trace, f.last_trace, {now} AS at, f.due_at AS run_at,
    f.waited_on, f.keyed, CASE WHEN f.is_lost THEN 'otelq.blocker_failed' END AS error_type
FROM decided AS f
WHERE f.is_lost OR f.is_free
ORDER BY f.chain_id
