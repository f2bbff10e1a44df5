-- Starts chains without blockers and dedup keys. Returns the ids that were taken already, and the times of the jobs
-- that are due later. Only if some jobs expire are the created rows joined with the input again.
WITH item AS MATERIALIZED (
    SELECT
        i.*,
        greatest({now}, coalesce(i.at, {now} + (i.delay * interval '1 second'))) AS run_at,
        {now} + (i.expires * interval '1 second') AS expires_at
    FROM unnest(
        $2::uuid[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::timestamptz[], $8::float8[], $9::text[],
        $10::text[], $11::float8[]
    ) WITH ORDINALITY AS i (chain_id, type, queue, input, priority, at, delay, trace, meta, expires, n)
),
created AS (
    INSERT INTO {schema}.job (chain_id, position, type, queue, input, priority, created_at, run_at, trace, meta)
    SELECT chain_id, 0, type, queue, input::jsonb, priority, {now}, run_at, trace, meta::jsonb
    FROM item
    {if_taken}
    RETURNING chain_id, type, priority, run_at
),
opened AS (
    INSERT INTO {schema}.open_job (chain_id, position, type, priority, run_at, expires_at)
    SELECT created.chain_id, 0, created.type, created.priority, created.run_at, {expiry}
)
SELECT
    {now} AS at,
    CASE
        WHEN (SELECT count(*) FROM created) < cardinality($2::uuid[])
            THEN ARRAY(SELECT chain_id::text FROM item EXCEPT SELECT chain_id::text FROM created)
    END AS taken,
    ARRAY(SELECT n::integer - 1 FROM item WHERE run_at > {now} ORDER BY n) AS later,
    ARRAY(SELECT run_at FROM item WHERE run_at > {now} ORDER BY n) AS run_at
