-- Lets go or fails jobs that waited for closed chains. Their rows are locked; this is a statement of its own because
-- it must see edges that were written until then. A job is touched once, however many of its blockers are among
-- them, and fails by the first of those that did not complete.
WITH edge AS MATERIALIZED (
    SELECT b.chain_id, b.position, b.blocker_id, b.ordinal, c.status
    FROM unnest($2::uuid[]) AS held (chain_id)
    CROSS JOIN LATERAL (
        SELECT *
        FROM {schema}.blocker AS b
        WHERE b.chain_id = held.chain_id AND b.blocker_id = ANY ($3::uuid[]) AND b.released_at IS NULL
        OFFSET 0
    ) AS b
    CROSS JOIN LATERAL (
        SELECT c.status
        FROM {schema}.outcome AS c
        WHERE c.chain_id = b.blocker_id AND c.status <> 'continued'
        ORDER BY c.position DESC, c.generation DESC
        LIMIT 1
    ) AS c
),
tally AS (
    SELECT
        chain_id,
        count(*)::integer AS closed,
        (array_agg(blocker_id ORDER BY ordinal) FILTER (WHERE status <> 'completed'))[1] AS bad_id,
        (array_agg(status ORDER BY ordinal) FILTER (WHERE status <> 'completed'))[1] AS bad_status
    FROM edge
    GROUP BY chain_id
),
fate AS MATERIALIZED (
    SELECT
        o.chain_id, o.position, o.type, o.priority, o.run_at, o.attempt, o.crashes, o.waited_on, o.keyed, o.last_trace,
        greatest(o.run_at, {now}) AS due_at, o.blocked_by - t.closed AS blocked_by, t.bad_id, t.bad_status
    FROM tally AS t
    CROSS JOIN LATERAL (
        SELECT * FROM {schema}.open_job AS o WHERE o.chain_id = t.chain_id OFFSET 0
    ) AS o
),
released AS (
    UPDATE {schema}.blocker AS b
    SET released_at = {now}
    FROM fate AS f
    WHERE b.chain_id = f.chain_id AND b.released_at IS NULL
        AND (f.bad_id IS NOT NULL OR b.blocker_id = ANY ($3::uuid[]))
),
let_go AS (
    UPDATE {schema}.open_job AS o
    SET blocked_by = f.blocked_by, run_at = CASE WHEN f.blocked_by = 0 THEN f.due_at ELSE f.run_at END
    FROM fate AS f
    WHERE o.chain_id = f.chain_id AND f.bad_id IS NULL AND o.chain_id = ANY (ARRAY(SELECT chain_id FROM fate))
),
gone AS (
    DELETE FROM {schema}.open_job
    WHERE chain_id = ANY (ARRAY(SELECT chain_id FROM fate WHERE bad_id IS NOT NULL))
),
failed AS (
    INSERT INTO {schema}.outcome
        (chain_id, position, type, priority, run_at, attempt, crashes, closed_at, status, verb, error_type, error_text)
    SELECT
        chain_id, position, type, priority, run_at, attempt, crashes, {now}, 'failed', 'fail_by_blocker',
        'otelq.Chain' || initcap(bad_status), format('the blocker %s ended %s', bad_id, bad_status)
    FROM fate
    WHERE bad_id IS NOT NULL
)
SELECT
    f.chain_id::text, f.position, NULL AS token, f.type, j.queue, coalesce(j.chain_type, f.type) AS chain_type,
    'blocked' AS status,
    f.attempt, f.crashes, NULL AS leased_by, j.created_at, coalesce(j.chain_created_at, j.created_at) AS chain_created_at,
    j.trace, f.last_trace, {now} AS at, f.due_at AS run_at,
    f.waited_on, f.keyed, 'otelq.Chain' || initcap(f.bad_status) AS error_type
FROM fate AS f
CROSS JOIN LATERAL (
    SELECT * FROM {schema}.job AS j WHERE j.chain_id = f.chain_id AND j.position = f.position OFFSET 0
) AS j
WHERE f.bad_id IS NOT NULL OR f.blocked_by = 0
ORDER BY f.chain_id
