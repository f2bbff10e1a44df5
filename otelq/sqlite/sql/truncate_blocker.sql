DELETE FROM main."{schema}_blocker";
