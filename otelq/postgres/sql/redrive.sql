-- Opens closed jobs again. Their outcomes and attempts stay, under the next generation, so that the present one is
-- always 0 and its key is free for the next outcome. Each chain gets a new hot row.
WITH item AS MATERIALIZED (
    SELECT
        i.*, c.type, c.priority, c.trace, head.dedup_key IS NOT NULL AND head.key_lasts IS NULL AS keyed,
        1 + (
            SELECT max(c.generation)
            FROM {schema}.outcome AS c
            WHERE c.chain_id = i.chain_id AND c.position = i.position
        ) AS generation
    FROM unnest($2::uuid[], $3::integer[], $4::integer[]) AS i (chain_id, position, blocked_by)
    CROSS JOIN LATERAL (
        SELECT *
        FROM {schema}.outcome AS c
        WHERE c.chain_id = i.chain_id AND c.position = i.position AND c.generation = 0
        OFFSET 0
    ) AS c
    CROSS JOIN LATERAL (
        SELECT * FROM {schema}.job AS h WHERE h.chain_id = i.chain_id AND h.position = 0 OFFSET 0
    ) AS head
),
outcomes AS (
    UPDATE {schema}.outcome AS c
    SET generation = i.generation, redriven_at = {now}
    FROM item AS i
    WHERE c.chain_id = i.chain_id AND c.position = i.position AND c.generation = 0
),
attempts AS (
    UPDATE {schema}.attempt AS a
    SET generation = i.generation
    FROM item AS i
    WHERE a.chain_id = i.chain_id AND a.position = i.position AND a.generation = 0
        AND a.chain_id = ANY (ARRAY(SELECT chain_id FROM item))
),
opened AS (
    INSERT INTO {schema}.open_job
        (chain_id, position, type, priority, run_at, blocked_by, keyed, last_trace)
    SELECT chain_id, position, type, priority, {now}, blocked_by, keyed, trace
    FROM item
    ORDER BY chain_id
)
SELECT {now} AS at
