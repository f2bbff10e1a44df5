-- Delete the jobs of chains.
DELETE FROM main."{schema}_job"
 WHERE chain_id IN (SELECT value FROM json_each(:chains));
