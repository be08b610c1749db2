-- What the application may do with report files: what came is kept, and never changed.

GRANT SELECT, INSERT ON report_file_contents TO ledger_app;
GRANT SELECT, INSERT, UPDATE ON report_files, report_rows, report_rejections, reconciliation_runs, reconciliation_breaks TO ledger_app;
