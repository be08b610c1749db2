-- What the application may do with the keys of subjects: make them, read them, and erase them for ever.

GRANT SELECT, INSERT, DELETE ON subject_keys TO ledger_app;
