-- Take a leadership that is free, or extend it for its holder; change nothing while another holds it.
INSERT INTO main."{schema}_leader" AS leader (name, holder, token, until) VALUES (:task, :holder, 1, :until)
ON CONFLICT (name) DO UPDATE
   SET holder = excluded.holder,
       token = leader.token + (leader.until <= :now),
       until = excluded.until
 WHERE leader.until <= :now OR leader.holder = excluded.holder;
