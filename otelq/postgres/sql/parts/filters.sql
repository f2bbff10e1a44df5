w.status = ANY ($8::text[])
    AND (cardinality($6::text[]) = 0 OR w.type = ANY ($6::text[]))
    AND (
        NOT $10::boolean
        OR NOT EXISTS (SELECT FROM {schema}.blocker AS b WHERE b.blocker_id = w.chain_id OFFSET 0)
    )
    AND (
        (
            cardinality($7::text[]) = 0 AND cardinality($15::text[]) = 0
            AND $9::text::jsonb IS NULL AND cardinality($11::text[]) = 0 AND $14::text IS NULL
        )
        OR EXISTS (
            SELECT
            FROM (
                SELECT
                    coalesce(j.chain_type, j.type) AS chain_type, j.queue, j.meta,
                    coalesce(j.amended_input, j.input) AS input,
                    CASE WHEN w.status = 'completed' THEN (
                        SELECT c.output
                        FROM {schema}.outcome AS c
                        WHERE c.chain_id = w.chain_id AND c.position = w.position AND c.generation = 0
                    ) END AS output
                FROM {schema}.job AS j
                WHERE j.chain_id = w.chain_id AND j.position = {position}
            ) AS j
            WHERE (cardinality($7::text[]) = 0 OR j.chain_type = ANY ($7::text[]))
                AND (cardinality($15::text[]) = 0 OR j.queue = ANY ($15::text[]))
                AND ($9::text::jsonb IS NULL OR j.meta @> $9::text::jsonb)
                AND (
                    $14::text IS NULL
                    OR strpos(j.input::text, $14::text) > 0
                    OR strpos(j.output::text, $14::text) > 0
                )
                AND NOT EXISTS (
                    SELECT
                    FROM matches
                    WHERE NOT coalesce(
                        matches.value = jsonb_path_query_first(
                            CASE WHEN matches.part = 'input' THEN j.input ELSE j.output END, matches.path, '{}', true
                        ),
                        false
                    )
                )
            OFFSET 0
        )
    )
