w.status = ANY ($8::text[])
    AND (cardinality($6::text[]) = 0 OR w.type = ANY ($6::text[]))
    AND (
        NOT $10::boolean
        OR NOT EXISTS (SELECT FROM {schema}.blocker AS b WHERE b.blocker_id = w.chain_id OFFSET 0)
    )
    AND (
        (cardinality($7::text[]) = 0 AND $9::jsonb IS NULL AND cardinality($11::text[]) = 0 AND $14::text IS NULL)
        OR EXISTS (
            SELECT
            FROM (
                SELECT coalesce(j.chain_type, j.type) AS chain_type, j.meta, coalesce(j.amended_input, j.input) AS input
                FROM {schema}.job AS j
                WHERE j.chain_id = w.chain_id AND j.position = {position}
            ) AS j
            LEFT JOIN LATERAL (
                SELECT c.output
                FROM {schema}.outcome AS c
                WHERE c.chain_id = w.chain_id AND c.position = w.position AND c.generation = 0
            ) AS c ON true
            WHERE (cardinality($7::text[]) = 0 OR j.chain_type = ANY ($7::text[]))
                AND ($9::jsonb IS NULL OR j.meta @> $9::jsonb)
                AND (
                    $14::text IS NULL
                    OR strpos(j.input::text, $14::text) > 0
                    OR strpos(c.output::text, $14::text) > 0
                )
                AND NOT EXISTS (
                    SELECT
                    FROM unnest($11::text[], $12::text[], $13::text[]) AS m (part, path, value)
                    WHERE m.value::jsonb IS DISTINCT FROM jsonb_path_query_first(
                        CASE m.part WHEN 'input' THEN j.input ELSE c.output END, m.path::jsonpath, '{}', true
                    )
                )
            OFFSET 0
        )
    )
