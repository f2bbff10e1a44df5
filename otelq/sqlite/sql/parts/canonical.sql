-- JSON in a form that is equal for equal JSON: its leaves by path, and 1.0 as 1.
(SELECT json_group_array(json_array(fullkey, kind, atom))
              FROM (SELECT fullkey, iif(type IN ('integer', 'real'), 'number', type) AS kind,
                           iif(type = 'real' AND abs(atom) < 9e15 AND atom = CAST(atom AS INTEGER),
                               CAST(atom AS INTEGER), atom) AS atom
                      FROM json_tree(node.json)
                     ORDER BY fullkey))
