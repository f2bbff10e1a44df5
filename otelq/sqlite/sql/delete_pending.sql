DELETE FROM main."{schema}_pending_unblock"
 WHERE chain_id IN (SELECT value FROM json_each(:chains));
