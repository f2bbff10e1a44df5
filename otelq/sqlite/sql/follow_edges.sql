-- Who waits for the chains, which are closed, and is to be told now: the edge, and how its blocker ended. In no
-- particular order within a blocker, so that the walk ends with the budget.
WITH blocker AS MATERIALIZED (
    SELECT item.value AS chain_id,
           (SELECT status FROM main."{schema}_outcome" AS outcome
             WHERE outcome.chain_id = item.value AND outcome.generation = 0
             ORDER BY position DESC
             LIMIT 1) AS status
      FROM json_each(:blockers) AS item
     WHERE NOT EXISTS (SELECT 1 FROM main."{schema}_open_job" AS open WHERE open.chain_id = item.value)
)
SELECT json_group_array(json_array(chain_id, position, ordinal, blocker_id, status))
  FROM (
    SELECT edge.chain_id, edge.position, edge.ordinal, edge.blocker_id, blocker.status
      FROM blocker
     CROSS JOIN main."{schema}_blocker" AS edge INDEXED BY "{schema}_awaited"
        ON edge.blocker_id = blocker.chain_id
       AND edge.waits <= (blocker.status = 'completed')
       AND edge.released_at IS NULL
     LIMIT :most
  );
