-- Whoever sends one-time codes forgets them when their time is over.

GRANT DELETE ON one_time_codes TO ledger_app;
