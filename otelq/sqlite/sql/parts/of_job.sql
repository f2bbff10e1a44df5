job.type AS asked_type, coalesce(job.amended_input, job.input) AS asked_input, job.position AS asked_position
