INSERT INTO "{schema}_dedup_key" (type, key, chain_id)
SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(:keys);
