-- Says on the hot rows of chains that somebody is about to wait for them, in ascending order. The rows stay locked,
-- so that none of these chains closes before the edges are committed. A chain that gives no row is closed or does
-- not exist; the next statement, with its newer snapshot, can tell.
WITH held AS MATERIALIZED (
    SELECT o.chain_id, o.waited_on
    FROM unnest($1::uuid[]) AS i (chain_id)
    CROSS JOIN LATERAL (
        SELECT o.chain_id, o.waited_on
        FROM {schema}.open_job AS o
        WHERE o.chain_id = i.chain_id
        {lock}
    ) AS o
),
marked AS (
    UPDATE {schema}.open_job
    SET waited_on = true
    WHERE chain_id = ANY (ARRAY(SELECT chain_id FROM held WHERE NOT waited_on))
)
SELECT chain_id::text FROM held
