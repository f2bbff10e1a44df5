DELETE FROM main."{schema}_pending_unblock";
