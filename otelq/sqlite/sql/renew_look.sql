-- Which leases of the batch are current, by their place in it, with the deadline of the attempt.
SELECT json_group_array(json_array(item.key, open.deadline))
  FROM json_each(:leases) AS item
 CROSS JOIN main."{schema}_open_job" AS open
    ON open.chain_id = item.value ->> 0
   AND open.position = item.value ->> 1
   AND open.token = item.value ->> 2;
