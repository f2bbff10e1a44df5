-- Chains by their ids, in the order of the batch: newest first.
SELECT chain.chain_id, {tail_position}
                  FROM json_each(:chains) AS item
                 CROSS JOIN main."{schema}_job" AS chain ON chain.chain_id = item.value AND chain.position = 0
                 WHERE {in_range}
