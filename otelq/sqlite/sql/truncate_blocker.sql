DELETE FROM "{schema}_blocker";
