-- The values that JSON must hold: where to look, and the value in its canonical form. Where `path` is given, SQLite's
-- own path finds it.
wanted AS MATERIALIZED (
    SELECT node.part, node.steps, node.path, node.json ->> '$' AS atom, {canonical} AS value
      FROM (SELECT value ->> 0 AS part, value -> 1 AS steps, value ->> 2 AS path, value ->> 3 AS json
              FROM json_each(:matches)) AS node
)
