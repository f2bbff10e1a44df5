-- Who holds the keys, by (type, key).
SELECT json_group_array(json_array(dedup.type, dedup.key, dedup.chain_id))
  FROM json_each(:keys) AS item
 CROSS JOIN "{schema}_dedup_key" AS dedup ON dedup.type = item.value ->> 0 AND dedup.key = item.value ->> 1;
