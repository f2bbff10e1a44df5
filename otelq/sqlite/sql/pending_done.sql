DELETE FROM "{schema}_pending_unblock"
 WHERE chain_id IN (SELECT value FROM json_each(:chains))
   AND NOT EXISTS (SELECT 1 FROM "{schema}_blocker" AS edge
                    WHERE edge.blocker_id = "{schema}_pending_unblock".chain_id AND edge.resolved_at IS NULL);
