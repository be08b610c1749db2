-- What the application may do with its views: all that following the log takes. Rebuilding and swapping is the owner's.

GRANT SELECT, INSERT, UPDATE ON projection_checkpoints, order_status TO ledger_app;
GRANT SELECT, INSERT ON postings, pending_turnover, audit_links TO ledger_app;
GRANT SELECT, INSERT, DELETE ON hold_expiries TO ledger_app;
