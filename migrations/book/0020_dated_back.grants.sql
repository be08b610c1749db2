-- What the application may do with its views of what was dated back.

GRANT SELECT, INSERT ON dated_back, dated_back_blocks TO ledger_app;
