-- Who waits for the chains, which are closed, and was not told yet: the edge, and how its blocker ended.
WITH blocker AS MATERIALIZED (
    SELECT item.key AS nr, item.value AS chain_id,
           (SELECT status FROM "{schema}_outcome" AS outcome
             WHERE outcome.chain_id = item.value
             ORDER BY position DESC, generation DESC
             LIMIT 1) AS status
      FROM json_each(:blockers) AS item
)
SELECT json_group_array(json_array(chain_id, ordinal, blocker_id, status))
  FROM (
    SELECT edge.chain_id, edge.ordinal, edge.blocker_id, blocker.status
      FROM blocker
     CROSS JOIN "{schema}_blocker" AS edge ON edge.blocker_id = blocker.chain_id AND edge.resolved_at IS NULL
     ORDER BY blocker.nr, edge.chain_id
     LIMIT :most
  );
