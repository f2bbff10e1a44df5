-- All jobs of chains by their ids.
SELECT job.chain_id, job.position
                  FROM json_each(:chains) AS item
                 CROSS JOIN main."{schema}_job" AS job ON job.chain_id = item.value
                 WHERE {in_range}
