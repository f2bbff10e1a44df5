UPDATE main."{schema}_open_job" SET waited_on = 1
 WHERE chain_id IN (SELECT value FROM json_each(:chains));
