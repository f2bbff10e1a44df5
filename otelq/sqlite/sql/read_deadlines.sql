-- Find the leases of the batch that are current, by index, with the time that no renewal passes.
SELECT json_group_array(json_array(item.key, open.deadline))
  FROM json_each(:leases) AS item
 CROSS JOIN main."{schema}_open_job" AS open
    ON open.chain_id = item.value ->> 0
   AND open.position = item.value ->> 1
   AND open.token = item.value ->> 2;
