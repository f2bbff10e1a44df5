NOT EXISTS (SELECT 1 FROM main."{schema}_blocker" AS edge WHERE edge.blocker_id = walk.chain_id)
