-- Read the holders of dedup keys: since when, and whether their chains are open.
SELECT json_group_array(json_array(
           dedup.type, dedup.key, dedup.chain_id, dedup.taken_at,
           EXISTS (SELECT 1 FROM main."{schema}_open_job" AS open WHERE open.chain_id = dedup.chain_id)))
  FROM json_each(:keys) AS item
 CROSS JOIN main."{schema}_dedup_key" AS dedup ON dedup.type = item.value ->> 0 AND dedup.key = item.value ->> 1;
