-- The text as it is stored: letter for letter, with JSON's escapes.
(instr((SELECT coalesce(filtered.amended_input, filtered.input) FROM {filtered_job}), :text)
                OR instr((SELECT outcome.output FROM {current_outcome}), :text))
