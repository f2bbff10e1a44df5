-- Lets go or fails jobs that waited for closed chains, by these edges. Their rows are locked; this is a statement of
-- its own because it must see them as they were left by whoever held them until then. A job is touched once, however
-- many of its blockers are among them, and fails by the first of those that did not complete. How many each job still
-- awaits is looked up in an object: a join would be a loop in a loop while the planner takes open_job for empty.
WITH edge AS MATERIALIZED (
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
        count(*) FILTER (WHERE status = 'completed') AS good,
        (array_agg(blocker_id ORDER BY ordinal) FILTER (WHERE status <> 'completed'))[1] AS bad_id,
        (array_agg(status ORDER BY ordinal) FILTER (WHERE status <> 'completed'))[1] AS bad_status
    FROM edge
    GROUP BY chain_id, position
),
told AS MATERIALIZED (
    SELECT
        o.chain_id, o.position, o.type, o.priority, o.run_at, o.attempt, o.crashes, o.waited_on, o.keyed, o.last_trace,
        greatest(o.run_at, {now}) AS due_at, o.blocked_by - t.closed AS awaited, t.bad_id, t.bad_status,
        j.queue, j.created_at, j.trace, j.chain_type, j.chain_created_at,
        j.until IS NOT NULL AND (t.good > 0 OR j.on_failure IS NOT NULL) AS is_enough,
        t.bad_id IS NOT NULL AND j.on_failure IS NULL
            AND (j.until IS NULL OR (t.good = 0 AND o.blocked_by = t.closed)) AS is_lost
    FROM tally AS t
    CROSS JOIN LATERAL (
        SELECT * FROM {schema}.open_job AS o WHERE o.chain_id = t.chain_id AND o.position = t.position OFFSET 0
    ) AS o
    CROSS JOIN LATERAL (
        SELECT * FROM {schema}.job AS j WHERE j.chain_id = t.chain_id AND j.position = t.position OFFSET 0
    ) AS j
),
fate AS MATERIALIZED (
    SELECT *, NOT is_lost AND (is_enough OR awaited = 0) AS is_free FROM told
),
freed AS MATERIALIZED (
    SELECT chain_id, position, blocker_id FROM edge
    UNION
    SELECT b.chain_id, b.position, b.blocker_id
    FROM fate AS f
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
    SELECT coalesce(jsonb_object_agg(chain_id, awaited) FILTER (WHERE NOT is_free), '{}') AS awaited FROM fate
),
let_go AS (
    UPDATE {schema}.open_job AS o
    SET blocked_by = coalesce((w.awaited ->> o.chain_id::text)::integer, 0),
        run_at = CASE WHEN w.awaited ->> o.chain_id::text IS NULL THEN greatest(o.run_at, {now}) ELSE o.run_at END
    FROM waiting AS w
    WHERE o.chain_id = ANY (ARRAY(SELECT chain_id FROM fate WHERE NOT is_lost))
),
gone AS (
    DELETE FROM {schema}.open_job
    WHERE chain_id = ANY (ARRAY(SELECT chain_id FROM fate WHERE is_lost))
),
failed AS (
    INSERT INTO {schema}.outcome
        (chain_id, position, type, priority, run_at, attempt, crashes, closed_at, status, verb, error_type, error_text)
    SELECT
        chain_id, position, type, priority, run_at, attempt, crashes, {now}, 'failed', 'fail_by_blocker',
        'otelq.blocker_failed', format('the blocker %s ended %s', bad_id, bad_status)
    FROM fate
    WHERE is_lost
)
SELECT
    f.chain_id::text, f.position, NULL AS token, f.type, f.queue, coalesce(f.chain_type, f.type) AS chain_type,
    'blocked' AS status,
    f.attempt, f.crashes, NULL AS leased_by, f.created_at, coalesce(f.chain_created_at, f.created_at) AS chain_created_at,
    f.trace, f.last_trace, {now} AS at, f.due_at AS run_at,
    f.waited_on, f.keyed, CASE WHEN f.is_lost THEN 'otelq.blocker_failed' END AS error_type
FROM fate AS f
WHERE f.is_lost OR f.is_free
ORDER BY f.chain_id
