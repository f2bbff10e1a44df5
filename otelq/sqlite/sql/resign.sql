-- End a leadership. Its row stays, so that the next holder gets a higher token.
UPDATE main."{schema}_leader"
   SET until = :now
 WHERE name = :task AND holder = :holder AND token = :token AND until > :now;
