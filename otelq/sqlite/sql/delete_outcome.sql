-- Delete the outcomes of chains, of all generations.
DELETE FROM main."{schema}_outcome"
 WHERE chain_id IN (SELECT value FROM json_each(:chains));
