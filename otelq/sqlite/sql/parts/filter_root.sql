-- No job waits for the chain, or waited for it.
NOT EXISTS (SELECT 1 FROM main."{schema}_blocker" AS blocker WHERE blocker.blocker_id = scan.chain_id)
