-- What the application may do with what risk control remembers, and with the codes that it hands over to be sent.

GRANT SELECT, INSERT ON risk_marks, risk_places TO ledger_app;
GRANT SELECT, INSERT, UPDATE ON risk_payments, reviews TO ledger_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON risk_lists TO ledger_app;
GRANT SELECT, INSERT, UPDATE ON one_time_codes TO ledger_app;
