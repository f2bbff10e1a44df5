-- Changes open jobs whose rows are locked; a null leaves a value as it is. The old values are read under the lock, in
-- a subquery with OFFSET 0 that the planner cannot merge: each item is one look-up by the primary key.
WITH item AS MATERIALIZED (
    SELECT
        i.*, o.run_at AS old_run_at, o.priority AS old_priority,
        CASE
            WHEN i.at IS NOT NULL OR i.delay IS NOT NULL
                THEN greatest({now}, coalesce(i.at, {now} + (i.delay * interval '1 second')))
            ELSE o.run_at
        END AS run_at
    FROM unnest(
        $2::uuid[], $3::integer[], $4::integer[], $5::timestamptz[], $6::float8[], $7::text[]
    ) WITH ORDINALITY AS i (chain_id, position, priority, at, delay, input, n)
    CROSS JOIN LATERAL (
        SELECT * FROM {schema}.open_job AS o WHERE o.chain_id = i.chain_id OFFSET 0
    ) AS o
),
moved AS (
    UPDATE {schema}.open_job AS o
    SET priority = coalesce(i.priority, i.old_priority), run_at = i.run_at
    FROM item AS i
    WHERE o.chain_id = i.chain_id AND o.chain_id = ANY (ARRAY(SELECT chain_id FROM item))
),
reworded AS (
    UPDATE {schema}.job AS j
    SET amended_input = i.input::jsonb
    FROM item AS i
    WHERE j.chain_id = i.chain_id AND j.position = i.position AND i.input IS NOT NULL
        AND j.chain_id = ANY (ARRAY(SELECT chain_id FROM item WHERE input IS NOT NULL))
)
SELECT chain_id::text, {now} AS at, run_at
FROM item
ORDER BY n
