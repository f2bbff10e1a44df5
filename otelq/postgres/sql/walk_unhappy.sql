-- As walk_open, of jobs that failed or were cancelled: by their own indexes, for each status, or status and type,
-- apart. What is asked of the table stands in the index, so that walking it in order is the cheapest.
SELECT lane_found.*
FROM unnest($15::text[], $16::text[]) AS lane (status, type)
CROSS JOIN LATERAL (
    WITH walk AS MATERIALIZED (
        SELECT w.*
        FROM (
            SELECT c.chain_id, c.position, lane.type, lane.status
            FROM {schema}.outcome AS c
            WHERE c.status = lane.status {which}
                AND c.status = ANY (ARRAY['failed', 'cancelled']) AND c.generation = 0
                AND c.chain_id <= $1::uuid AND c.chain_id >= $3::uuid
                AND (c.chain_id < $1::uuid OR c.position > $2::integer)
            ORDER BY c.chain_id DESC, c.position
            LIMIT {most}
        ) AS w
        LIMIT $4::integer + 1
    ),
    {answer}
) AS lane_found
