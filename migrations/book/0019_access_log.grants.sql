-- What the application may do with the list of accesses: add to it and read it; what was written stays.

GRANT SELECT, INSERT ON access_log TO ledger_app;
