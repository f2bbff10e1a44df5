UPDATE "{schema}_blocker" AS edge
   SET resolved_at = :now
  FROM json_each(:edges) AS item
 WHERE edge.chain_id = item.value ->> 0 AND edge.ordinal = item.value ->> 1;
