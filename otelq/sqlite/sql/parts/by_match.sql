NOT EXISTS (
               SELECT 1 FROM wish
                WHERE NOT EXISTS (
                    -- What somebody wrote by hand, and is no JSON, matches nothing.
                    SELECT 1 FROM (SELECT iif(json_valid(found.json), found.json, NULL) AS json
                                     FROM (SELECT CASE wish.part
                                                      WHEN 'input' THEN (SELECT coalesce(asked.amended_input, asked.input)
                                                                           FROM {its_asked})
                                                      WHEN 'output' THEN (SELECT outcome.output FROM {its_outcome})
                                                      ELSE (SELECT head.meta FROM {its_head})
                                                  END AS json) AS found) AS stored
                     -- A quick look passes most over. It would not see names that stand there escaped.
                     WHERE (wish.path IS NULL OR instr(stored.json, '\') OR stored.json ->> wish.path IS wish.atom)
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
                                WHERE node.depth < json_array_length(wish.steps)
                                  AND inner.key = wish.steps ->> node.depth
                           )
                           SELECT 1 FROM node
                            WHERE node.depth = json_array_length(wish.steps) AND {canonical} = wish.value)))
