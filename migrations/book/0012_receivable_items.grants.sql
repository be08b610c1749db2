-- What the application may do with its views of receivable items and of what banks are to show.

GRANT SELECT, INSERT, UPDATE ON receivable_items, bank_expectations TO ledger_app;
