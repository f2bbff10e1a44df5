DELETE FROM main."{schema}_blocker"
 WHERE chain_id IN (SELECT value FROM json_each(:chains));
