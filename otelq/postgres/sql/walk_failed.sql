-- As walk_open, for failed and cancelled jobs, one walk for each status, or status and type, by their own indexes. Each
-- condition on the table is in the index, so that the walk in index order is the cheapest plan.
SELECT page.*
FROM unnest($16::text[], $17::text[]) AS family (status, type)
CROSS JOIN LATERAL (
    WITH walk AS MATERIALIZED (
        SELECT w.*
        FROM (
            SELECT c.chain_id, c.position, family.type, family.status
            FROM {schema}.outcome AS c
            WHERE c.status = family.status {condition}
                AND c.status = ANY (ARRAY['failed', 'cancelled']) AND c.generation = 0
                AND c.chain_id <= $1::uuid AND c.chain_id >= $3::uuid
                AND (c.chain_id < $1::uuid OR c.position > $2::integer)
            ORDER BY c.chain_id DESC, c.position
            LIMIT {most}
        ) AS w
        LIMIT $4::integer + 1
    ),
    {page}
) AS page
