-- Finds the keys of open jobs that pass the filters, newest chain first, among the rows that the query may look at; and
-- the last key that was looked at, if there may be more. Rows are pulled one by one: the constant limit makes the
-- planner walk the index, whatever it knows of the table.
WITH walk AS MATERIALIZED (
    SELECT w.*
    FROM (
        SELECT
            o.chain_id, o.position, o.type,
            {status} AS status
        FROM {schema}.open_job AS o
        WHERE o.chain_id <= $1::uuid AND o.chain_id >= $3::uuid AND (o.chain_id < $1::uuid OR o.position > $2::integer)
            {condition}
        ORDER BY o.chain_id DESC
        LIMIT {most}
    ) AS w
    LIMIT $4::integer + 1
),
{page}
