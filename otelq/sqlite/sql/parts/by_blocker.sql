EXISTS (SELECT 1 FROM main."{schema}_blocker" AS edge
                        WHERE edge.blocker_id = :blocked_by AND edge.chain_id = walk.chain_id AND edge.position = {waiting})
