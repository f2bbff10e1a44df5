-- What was told to the dependents of chains when those closed: who was free or failed by it at that very time.
-- One that was closed by then, as by another blocker's bad end, was told nothing, though its edge was let go.
-- A dependent that ran since may have forgotten for when it was planned; then it counts as due at once.
SELECT json_group_array(json_array(json_array(
           0, dependent.chain_id, dependent.position, dependent.type, dependent.queue, 0,
           iif(open.attempt = 0, open.run_at, :at), 0, 0, 1, told.waited_on, NULL, NULL, NULL, NULL, NULL,
           dependent.created_at, dependent.trace, head.type, head.created_at, 0), failed.error_type))
  FROM (
    SELECT DISTINCT edge.chain_id, edge.position,
           EXISTS (SELECT 1 FROM main."{schema}_blocker" AS next WHERE next.blocker_id = edge.chain_id) AS waited_on,
           NOT EXISTS (SELECT 1 FROM main."{schema}_blocker" AS other
                        WHERE other.chain_id = edge.chain_id AND other.position = edge.position
                          AND (other.released_at IS NULL OR other.released_at > :at))
           AND NOT EXISTS (SELECT 1 FROM main."{schema}_outcome" AS past
                            WHERE past.chain_id = edge.chain_id AND past.position = edge.position
                              AND past.generation = 0 AND past.closed_at < :at) AS is_free
      FROM json_each(:blockers) AS item
     CROSS JOIN main."{schema}_blocker" AS edge ON edge.blocker_id = item.value AND edge.released_at = :at
  ) AS told
 CROSS JOIN main."{schema}_job" AS dependent ON dependent.chain_id = told.chain_id AND dependent.position = told.position
 CROSS JOIN main."{schema}_job" AS head ON head.chain_id = told.chain_id AND head.position = 0
  LEFT JOIN main."{schema}_open_job" AS open ON open.chain_id = told.chain_id AND open.position = told.position
  LEFT JOIN main."{schema}_outcome" AS failed
    ON failed.chain_id = told.chain_id AND failed.position = told.position
   AND failed.verb = 'fail_by_blocker' AND failed.closed_at = :at
 WHERE told.is_free OR failed.chain_id IS NOT NULL;
