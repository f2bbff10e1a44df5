(instr((SELECT coalesce(asked.amended_input, asked.input) FROM {its_asked}), :text)
                OR instr((SELECT outcome.output FROM {its_outcome}), :text))
