-- As walk_open, for closed jobs, by the key of outcomes. For chains a tail comes before the jobs that led to it, so
-- that the walk may end anywhere.
WITH walk AS MATERIALIZED (
    SELECT w.*
    FROM (
        SELECT c.chain_id, c.position, c.type, c.status
        FROM {schema}.outcome AS c
        WHERE c.chain_id <= $1::uuid AND c.chain_id >= $3::uuid AND (c.chain_id < $1::uuid OR c.position > $2::integer)
            AND c.generation = 0
        ORDER BY c.chain_id DESC, c.position {order}
        LIMIT {most}
    ) AS w
    LIMIT $4::integer + 1
),
{page}
