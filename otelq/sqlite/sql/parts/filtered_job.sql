-- The job whose type, queue and input the filters ask about: the job itself, or a chain's first.
main."{schema}_job" AS filtered WHERE filtered.chain_id = scan.chain_id AND filtered.position = {filtered_position}
