-- Forget chains whose dependents are all released, or that were redriven: then their next end unblocks the others.
DELETE FROM main."{schema}_pending_unblock" AS pending
 WHERE chain_id IN (SELECT value FROM json_each(:chains))
   AND (EXISTS (SELECT 1 FROM main."{schema}_open_job" AS open WHERE open.chain_id = pending.chain_id)
        OR NOT EXISTS (
            SELECT 1 FROM main."{schema}_blocker" AS blocker
             WHERE blocker.blocker_id = pending.chain_id AND blocker.released_at IS NULL
               AND blocker.waits <= ((SELECT status FROM main."{schema}_outcome" AS outcome
                                    WHERE outcome.chain_id = blocker.blocker_id AND outcome.generation = 0
                                    ORDER BY outcome.position DESC LIMIT 1) = 'completed')));
