(SELECT asked.type FROM {its_asked}) IN (SELECT value FROM json_each(:types))
