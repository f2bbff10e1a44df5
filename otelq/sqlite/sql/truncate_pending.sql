DELETE FROM "{schema}_pending_unblock";
