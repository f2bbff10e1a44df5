-- Find the leases of the batch that are current. The token fences: a job that was claimed again has another one.
-- waited_on and the dedup key say what else closing the chain has to touch.
SELECT json_group_array(json_array(
           item.key, open.waited_on,
           EXISTS (SELECT 1 FROM main."{schema}_dedup_key" AS dedup WHERE dedup.chain_id = open.chain_id)))
  FROM json_each(:leases) AS item
 CROSS JOIN main."{schema}_open_job" AS open
    ON open.chain_id = item.value ->> 0
   AND open.position = item.value ->> 1
   AND open.token = item.value ->> 2;
