-- The file that a connection is open on; none for a database in memory.
SELECT json_group_array(file) FROM pragma_database_list WHERE name = 'main' AND file <> '';
