matches AS MATERIALIZED (
    SELECT m.part, m.path::jsonpath AS path, m.value::jsonb AS value
    FROM unnest($11::text[], $12::text[], $13::text[]) AS m (part, path, value)
),
found AS MATERIALIZED (
    SELECT w.chain_id, w.position
    FROM (SELECT * FROM walk LIMIT $4::integer) AS w
    WHERE {filters}
    LIMIT $5::integer
),
bound AS MATERIALIZED (
    SELECT last.chain_id, last.position
    FROM (
        SELECT l.chain_id, l.position, lead(l.position) OVER () IS NOT NULL AS has_more
        FROM (SELECT chain_id, position FROM walk OFFSET $4::integer - 1 LIMIT 2) AS l
    ) AS last
    WHERE (SELECT count(*) FROM found) < $5::integer AND last.has_more
    LIMIT 1
)
SELECT chain_id::text, position, false AS is_bound FROM found
UNION ALL
SELECT chain_id::text, position, true FROM bound
