-- After the last key of the page before, and within the times that were asked for.
chain_id BETWEEN :low AND :high AND NOT (chain_id = :high AND position <= :position)
