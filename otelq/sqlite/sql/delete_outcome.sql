DELETE FROM main."{schema}_outcome"
 WHERE chain_id IN (SELECT value FROM json_each(:chains));
