-- What JSON must hold: where to look, and the value there in a form that is the same for equal JSON. Where `path` is
-- given, SQLite itself finds what stands there.
wish AS MATERIALIZED (
    SELECT node.part, node.steps, node.path, node.json ->> '$' AS atom, {canonical} AS value
      FROM (SELECT value ->> 0 AS part, value -> 1 AS steps, value ->> 2 AS path, value ->> 3 AS json
              FROM json_each(:matches)) AS node
)
