-- What the application may do with letters to payers: it keeps every one of them in mind.

GRANT SELECT, INSERT, UPDATE ON payer_letters TO ledger_app;
GRANT SELECT, INSERT, DELETE ON letter_wishes TO ledger_app;
