-- Locks, in ascending order, a bounded number of the jobs that wait for closed chains. Returns their blocker rows, and
-- the jobs that hold dedup keys and may fail.
--
-- With SKIP LOCKED, two blockers of one job that close in two open transactions never wait for each other; the one that
-- skips the job leaves its chain pending. A patient job is left out if its blocker failed, as it waits on.
-- No blocker has more of its dependents read than may be released.
WITH closed AS MATERIALIZED (
    SELECT i.chain_id, c.status
    FROM unnest($1::uuid[]) AS i (chain_id)
    CROSS JOIN LATERAL (
        SELECT c.status
        FROM {schema}.outcome AS c
        WHERE c.chain_id = i.chain_id AND c.generation = 0
        ORDER BY c.position DESC
        LIMIT 1
    ) AS c
    WHERE c.status <> 'continued'
),
awaiting AS MATERIALIZED (
    SELECT b.chain_id, b.position, b.blocker_id, closed.status
    FROM closed
    CROSS JOIN (VALUES (false), (true)) AS kinds (patient)
    CROSS JOIN LATERAL (
        SELECT b.chain_id, b.position, b.blocker_id
        FROM {schema}.blocker AS b
        WHERE b.blocker_id = closed.chain_id AND b.patient = kinds.patient AND b.released_at IS NULL
        ORDER BY b.chain_id
        LIMIT $2::integer + 1
    ) AS b
    WHERE closed.status = 'completed' OR NOT kinds.patient
),
waiting AS MATERIALIZED (
    SELECT DISTINCT chain_id
    FROM awaiting
    ORDER BY chain_id
    LIMIT $2::integer + 1
),
locked AS MATERIALIZED (
    SELECT o.chain_id, o.keyed
    FROM (SELECT chain_id FROM waiting ORDER BY chain_id LIMIT $2::integer) AS w
    CROSS JOIN LATERAL (
        SELECT o.chain_id, o.keyed FROM {schema}.open_job AS o WHERE o.chain_id = w.chain_id {lock}
    ) AS o
),
taken AS MATERIALIZED (
    SELECT awaiting.*, locked.keyed FROM awaiting JOIN locked ON locked.chain_id = awaiting.chain_id
)
SELECT
    ARRAY(SELECT DISTINCT chain_id::text FROM taken WHERE keyed AND status <> 'completed') AS failing,
    ARRAY(SELECT chain_id::text FROM taken) AS chain_ids,
    ARRAY(SELECT position FROM taken) AS positions,
    ARRAY(SELECT blocker_id::text FROM taken) AS blocker_ids,
    (SELECT count(*) FROM locked) = (SELECT count(*) FROM waiting) AS is_done
