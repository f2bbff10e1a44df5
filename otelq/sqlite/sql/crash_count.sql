UPDATE main."{schema}_open_job" SET crashes = crashes + 1
 WHERE chain_id IN (SELECT value FROM json_each(:chains));
