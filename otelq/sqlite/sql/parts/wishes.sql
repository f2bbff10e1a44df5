-- What payloads must hold: where to look, and the value there in a form that is the same for equal JSON.
wish AS MATERIALIZED (
    SELECT node.part, node.path, {canonical} AS value
      FROM (SELECT value ->> 0 AS part, value -> 1 AS path, value ->> 2 AS json FROM json_each(:matches)) AS node
)
