INSERT INTO main."{schema}_pending_unblock" (chain_id)
SELECT value FROM json_each(:chains) WHERE true
ON CONFLICT DO NOTHING;
