UPDATE main."{schema}_blocker" AS edge
   SET released_at = :now
  FROM json_each(:edges) AS item
 WHERE edge.chain_id = item.value ->> 0 AND edge.position = item.value ->> 1 AND edge.ordinal = item.value ->> 2;
