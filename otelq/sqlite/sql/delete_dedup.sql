DELETE FROM main."{schema}_dedup_key"
 WHERE chain_id IN (SELECT value FROM json_each(:chains));
