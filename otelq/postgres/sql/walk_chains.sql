-- As walk_open, for all jobs of given chains. The ids come newest first, and the lateral keeps that order.
WITH walk AS MATERIALIZED (
    SELECT w.*
    FROM unnest($16::uuid[]) AS i (chain_id)
    CROSS JOIN LATERAL (
        SELECT *
        FROM (
            SELECT
                o.chain_id, o.position, o.type,
                {status} AS status
            FROM {schema}.open_job AS o
            WHERE o.chain_id = i.chain_id
            UNION ALL
            SELECT c.chain_id, c.position, c.type, c.status
            FROM {schema}.outcome AS c
            WHERE c.chain_id = i.chain_id AND c.generation = 0
        ) AS w
        WHERE w.chain_id < $1::uuid OR w.position > $2::integer
        ORDER BY w.position {order}
        LIMIT $4::integer + 1
    ) AS w
    WHERE i.chain_id <= $1::uuid AND i.chain_id >= $3::uuid
    LIMIT $4::integer + 1
),
{page}
