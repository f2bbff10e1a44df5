(SELECT head.type FROM {its_head}) IN (SELECT value FROM json_each(:chain_types))
