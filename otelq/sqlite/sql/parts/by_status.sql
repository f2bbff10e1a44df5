coalesce((SELECT outcome.status FROM {its_outcome}),
                        (SELECT {open_status} FROM main."{schema}_open_job" AS open WHERE open.chain_id = walk.chain_id))
               IN (SELECT value FROM json_each(:statuses))
