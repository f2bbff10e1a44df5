-- Chains that closed give their keys back, but for those that keep them.
DELETE FROM main."{schema}_dedup_key"
 WHERE NOT lasting AND chain_id IN (SELECT value FROM json_each(:chains));
