-- Every wanted value is found in the JSON. Nothing matches what is not JSON, as after an edit by hand.
NOT EXISTS (
               SELECT 1 FROM wanted
                WHERE NOT EXISTS (
                    SELECT 1
                      FROM (SELECT iif(json_valid(found.json), found.json, NULL) AS json
                              FROM (SELECT CASE wanted.part
                                               WHEN 'input'
                                               THEN (SELECT coalesce(filtered.amended_input, filtered.input)
                                                       FROM {filtered_job})
                                               WHEN 'output' THEN (SELECT outcome.output FROM {current_outcome})
                                               ELSE (SELECT head.meta FROM {head_job})
                                           END AS json) AS found) AS stored
                     -- SQLite's own path finds most mismatches at once. It does not see names with escapes.
                     WHERE (wanted.path IS NULL OR instr(stored.json, '\')
                            OR stored.json ->> wanted.path IS wanted.atom)
                       AND EXISTS (
                           WITH RECURSIVE node (depth, json) AS (
                               SELECT 0, stored.json
                               UNION ALL
                               SELECT node.depth + 1,
                                      CASE
                                          WHEN inner.type IN ('object', 'array') THEN inner.value
                                          WHEN inner.type IN ('true', 'false', 'null') THEN inner.type
                                          ELSE json_quote(inner.value)
                                      END
                                 FROM node, json_each(node.json) AS inner
                                WHERE node.depth < json_array_length(wanted.steps)
                                  AND inner.key = wanted.steps ->> node.depth
                           )
                           SELECT 1 FROM node
                            WHERE node.depth = json_array_length(wanted.steps) AND {canonical} = wanted.value)))
