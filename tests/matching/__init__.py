"""Tests of the matching of reports with our books."""
