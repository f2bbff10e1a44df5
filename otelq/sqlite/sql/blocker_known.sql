-- Which of the edges stand already: their place in the batch, and their ordinal.
SELECT json_group_array(json_array(item.key, edge.ordinal))
  FROM json_each(:edges) AS item
 CROSS JOIN main."{schema}_blocker" AS edge
    ON edge.blocker_id = item.value ->> 2 AND edge.chain_id = item.value ->> 0 AND edge.position = item.value ->> 1;
