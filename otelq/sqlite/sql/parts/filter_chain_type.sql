-- The chain's type is that of its first job.
(SELECT head.type FROM {head_job}) IN (SELECT value FROM json_each(:chain_types))
