-- The type of the job, or of a chain's first job.
(SELECT filtered.type FROM {filtered_job}) IN (SELECT value FROM json_each(:types))
