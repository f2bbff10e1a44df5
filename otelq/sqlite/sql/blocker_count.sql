-- How many blockers jobs were given so far, in the order of the batch.
SELECT json_group_array((
           SELECT coalesce(max(edge.ordinal) + 1, 0) FROM main."{schema}_blocker" AS edge
            WHERE edge.chain_id = item.value ->> 0 AND edge.position = item.value ->> 1))
  FROM json_each(:jobs) AS item;
