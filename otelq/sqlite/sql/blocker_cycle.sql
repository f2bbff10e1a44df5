-- Which of the chains wait for themselves, through others or at once, with the chain that closes the circle. Only
-- open jobs that are blocked wait for anybody.
WITH RECURSIVE reach (origin, chain_id) AS (
    SELECT value, value FROM json_each(:chains)
    UNION
    SELECT reach.origin, edge.blocker_id
      FROM reach
     CROSS JOIN main."{schema}_open_job" AS open ON open.chain_id = reach.chain_id AND open.blocked_by_count > 0
     CROSS JOIN main."{schema}_blocker" AS edge
        ON edge.chain_id = open.chain_id AND edge.position = open.position AND edge.released_at IS NULL
)
SELECT json_group_array(json_array(origin, chain_id))
  FROM (
    SELECT reach.origin, reach.chain_id
      FROM reach
     CROSS JOIN main."{schema}_open_job" AS open ON open.chain_id = reach.chain_id AND open.blocked_by_count > 0
     CROSS JOIN main."{schema}_blocker" AS edge
        ON edge.blocker_id = reach.origin AND edge.chain_id = open.chain_id AND edge.position = open.position
       AND edge.released_at IS NULL
     LIMIT 1
  );
