"""Commands: deciders without a database, as given, when, then; tables of postings; laws."""
