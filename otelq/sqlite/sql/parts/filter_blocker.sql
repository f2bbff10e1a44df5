-- Jobs that wait for the chain, or waited for it; of chains, any job.
EXISTS (SELECT 1 FROM main."{schema}_blocker" AS blocker
                        WHERE blocker.blocker_id = :blocked_by AND blocker.chain_id = scan.chain_id
                          AND blocker.position = {waiting_position})
