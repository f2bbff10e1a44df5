-- The columns of the struct OpenJob, in its order, after the index in the batch.
open.chain_id, open.position, open.type, open.queue, open.priority, open.run_at, open.attempt,
           open.crashes, open.blocked_by_count, open.waited_on, open.until, open.on_failure, open.token, open.leased_by,
           open.last_trace, job.created_at, job.trace, head.type, head.created_at,
           EXISTS (SELECT 1 FROM main."{schema}_dedup_key" AS dedup WHERE dedup.chain_id = open.chain_id)
