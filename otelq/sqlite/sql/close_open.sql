DELETE FROM main."{schema}_open_job"
 WHERE chain_id IN (SELECT value FROM json_each(:chains));
