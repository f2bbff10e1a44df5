-- Note closed chains whose dependents are more than one commit handles; `unblock_pending` works them off.
INSERT INTO main."{schema}_pending_unblock" (chain_id)
SELECT value FROM json_each(:chains) WHERE true
ON CONFLICT DO NOTHING;
