-- Delete the attempts of chains.
DELETE FROM main."{schema}_attempt"
 WHERE chain_id IN (SELECT value FROM json_each(:chains));
