-- The queue of the job, or of a chain's first job.
(SELECT filtered.queue FROM {filtered_job}) IN (SELECT value FROM json_each(:queues))
