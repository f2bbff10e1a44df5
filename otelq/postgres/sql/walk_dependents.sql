-- As walk_open, for jobs that were given one chain as a blocker, by their blocker rows: each job once, or each chain by
-- its tail.
WITH walk AS MATERIALIZED (
    SELECT w.chain_id, w.position, w.type, w.status
    FROM (
        SELECT {distinct} b.chain_id, b.position
        FROM {schema}.blocker AS b
        WHERE b.blocker_id = $16::uuid
            AND b.chain_id <= $1::uuid AND b.chain_id >= $3::uuid
            AND (b.chain_id < $1::uuid OR b.position > $2::integer)
            AND (cardinality($17::uuid[]) = 0 OR b.chain_id = ANY ($17::uuid[]))
        ORDER BY b.chain_id DESC, b.position
        LIMIT {most}
    ) AS b
    CROSS JOIN LATERAL (
        SELECT
            o.chain_id, o.position, o.type,
            {status} AS status
        FROM {schema}.open_job AS o
        WHERE o.chain_id = b.chain_id AND {open_one}
        UNION ALL
        SELECT c.chain_id, c.position, c.type, c.status
        FROM {schema}.outcome AS c
        WHERE c.chain_id = b.chain_id AND c.generation = 0 AND {closed_one}
        LIMIT 1
    ) AS w
    LIMIT $4::integer + 1
),
{page}
