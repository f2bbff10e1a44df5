-- Free the dedup keys of deleted chains, also those that last.
DELETE FROM main."{schema}_dedup_key"
 WHERE chain_id IN (SELECT value FROM json_each(:chains));
