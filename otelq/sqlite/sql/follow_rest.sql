-- Release what free jobs waited for besides.
UPDATE main."{schema}_blocker" AS edge
   SET released_at = :now
  FROM json_each(:jobs) AS item
 WHERE edge.chain_id = item.value ->> 0 AND edge.position = item.value ->> 1 AND edge.released_at IS NULL;
