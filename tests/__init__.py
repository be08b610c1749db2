"""Tests, in the same rooms as the code: sentences, tables and laws."""
