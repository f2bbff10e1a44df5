-- Find when the earliest job of the types is due: one probe for each (type, priority in use), as in find_ready.
WITH RECURSIVE
ready (type, priority) AS (
    SELECT item.value,
           (SELECT min(open.priority) FROM main."{schema}_open_job" AS open
             WHERE open.type = item.value
               AND {is_ready})
      FROM json_each(:types) AS item
    UNION ALL
    SELECT type,
           (SELECT min(open.priority) FROM main."{schema}_open_job" AS open
             WHERE open.type = ready.type AND open.priority > ready.priority
               AND {is_ready})
      FROM ready
     WHERE priority IS NOT NULL
),
suspect (type, priority) AS (
    SELECT item.value,
           (SELECT min(open.priority) FROM main."{schema}_open_job" AS open
             WHERE open.type = item.value
               AND {is_suspect})
      FROM json_each(:types) AS item
    UNION ALL
    SELECT type,
           (SELECT min(open.priority) FROM main."{schema}_open_job" AS open
             WHERE open.type = suspect.type AND open.priority > suspect.priority
               AND {is_suspect})
      FROM suspect
     WHERE priority IS NOT NULL
),
due (run_at) AS (
    SELECT (SELECT min(open.run_at) FROM main."{schema}_open_job" AS open
             WHERE open.type = ready.type AND open.priority = ready.priority
               AND {is_ready}
               AND (open.expires_at IS NULL OR open.expires_at > :now OR open.attempt > 0))
      FROM ready
     WHERE priority IS NOT NULL
    UNION ALL
    SELECT (SELECT min(open.run_at) FROM main."{schema}_open_job" AS open
             WHERE open.type = suspect.type AND open.priority = suspect.priority
               AND {is_suspect})
      FROM suspect
     WHERE priority IS NOT NULL
)
SELECT json_group_array(run_at) FROM (SELECT min(run_at) AS run_at FROM due) WHERE run_at IS NOT NULL;
