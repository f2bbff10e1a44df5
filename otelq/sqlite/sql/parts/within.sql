chain_id BETWEEN :low AND :high AND NOT (chain_id = :high AND position <= :position)
