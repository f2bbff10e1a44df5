-- Find a chain that waits for itself, with the chain that closes the cycle. Only blocked open jobs can be on the way.
-- SQLite has one writer, so that no other transaction can add the other half of a cycle meanwhile.
WITH RECURSIVE reach (origin, chain_id) AS (
    SELECT value, value FROM json_each(:chains)
    UNION
    SELECT reach.origin, blocker.blocker_id
      FROM reach
     CROSS JOIN main."{schema}_open_job" AS open ON open.chain_id = reach.chain_id AND open.blocked_by_count > 0
     CROSS JOIN main."{schema}_blocker" AS blocker
        ON blocker.chain_id = open.chain_id AND blocker.position = open.position AND blocker.released_at IS NULL
)
SELECT json_group_array(json_array(origin, chain_id))
  FROM (
    SELECT reach.origin, reach.chain_id
      FROM reach
     CROSS JOIN main."{schema}_open_job" AS open ON open.chain_id = reach.chain_id AND open.blocked_by_count > 0
     CROSS JOIN main."{schema}_blocker" AS blocker
        ON blocker.blocker_id = reach.origin AND blocker.chain_id = open.chain_id AND blocker.position = open.position
       AND blocker.released_at IS NULL
     LIMIT 1
  );
