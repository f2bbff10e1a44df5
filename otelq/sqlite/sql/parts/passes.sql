stands IN (SELECT value FROM json_each(:statuses))
       AND (:types IS NULL OR asked_type IN (SELECT value FROM json_each(:types)))
       AND (:chain_types IS NULL OR head.type IN (SELECT value FROM json_each(:chain_types)))
       AND (:tenant IS NULL OR head.meta ->> '$.tenant' = :tenant)
       AND (:tags IS NULL OR NOT EXISTS (
               SELECT 1 FROM json_each(:tags) AS wanted
                WHERE NOT EXISTS (SELECT 1 FROM json_each(head.meta, '$.tags') AS tag
                                   WHERE tag.key = wanted.value ->> 0 AND tag.value = wanted.value ->> 1)))
       AND (NOT :roots OR NOT EXISTS (SELECT 1 FROM "{schema}_blocker" AS edge WHERE edge.blocker_id = head.chain_id))
       AND (:blocked_by IS NULL OR EXISTS (
               SELECT 1 FROM "{schema}_blocker" AS edge
                WHERE edge.blocker_id = :blocked_by AND edge.chain_id = head.chain_id
                  AND (asked_position IS NULL OR edge.position = asked_position)))
       AND (:text IS NULL OR instr(asked_input, :text) OR instr(output, :text))
       AND (:matches IS NULL OR NOT EXISTS (
               SELECT 1 FROM wish
                WHERE NOT EXISTS (
                    WITH RECURSIVE node (depth, json) AS (
                        SELECT 0, iif(wish.part = 'input', asked_input, output)
                        UNION ALL
                        SELECT node.depth + 1,
                               CASE
                                   WHEN inner.type IN ('object', 'array') THEN inner.value
                                   WHEN inner.type IN ('true', 'false', 'null') THEN inner.type
                                   ELSE json_quote(inner.value)
                               END
                          FROM node, json_each(node.json) AS inner
                         WHERE node.depth < json_array_length(wish.path) AND inner.key = wish.path ->> node.depth
                    )
                    SELECT 1 FROM node
                     WHERE node.depth = json_array_length(wish.path) AND {canonical} = wish.value)))
