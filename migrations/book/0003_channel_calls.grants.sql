-- What the application may do with its work list: everything but remove from it.

GRANT SELECT, INSERT, UPDATE ON process_checkpoints, channel_calls TO ledger_app;
