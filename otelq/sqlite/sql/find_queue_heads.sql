-- Find the first ready job of each type. A successor may be claimed by the worker that created it only if it comes
-- before that job, so a chain of many steps cannot overtake waiting chains.
SELECT json_group_array(json_array(item.value, open.priority, open.run_at, open.chain_id))
  FROM json_each(:types) AS item
 CROSS JOIN main."{schema}_open_job" AS open ON open.chain_id IN (
           SELECT chain_id FROM (
               SELECT chain_id FROM main."{schema}_open_job" AS ready
                WHERE ready.type = item.value AND ready.run_at <= :now
                  AND ready.token IS NULL AND ready.blocked_by_count = 0 AND ready.crashes = 0
                  AND (ready.expires_at IS NULL OR ready.expires_at > :now OR ready.attempt > 0)
                ORDER BY priority, run_at, chain_id LIMIT 1)
           UNION ALL
           SELECT chain_id FROM (
               SELECT chain_id FROM main."{schema}_open_job" AS suspect
                WHERE suspect.type = item.value AND suspect.run_at <= :now
                  AND suspect.token IS NULL AND suspect.blocked_by_count = 0 AND suspect.crashes > 0
                ORDER BY priority, run_at, chain_id LIMIT 1));
