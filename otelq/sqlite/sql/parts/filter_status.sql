-- A closed job has an outcome; the status of an open one follows from its row and the time.
coalesce((SELECT outcome.status FROM {current_outcome}),
                        (SELECT {open_status}
                           FROM main."{schema}_open_job" AS open WHERE open.chain_id = scan.chain_id))
               IN (SELECT value FROM json_each(:statuses))
