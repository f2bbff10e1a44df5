-- Free the dedup keys of closed chains, except those with scope `any`.
DELETE FROM main."{schema}_dedup_key"
 WHERE NOT lasting AND chain_id IN (SELECT value FROM json_each(:chains));
