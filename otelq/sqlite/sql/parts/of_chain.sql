head.type AS asked_type, coalesce(head.amended_input, head.input) AS asked_input, NULL AS asked_position
