"""Readers of report files, tried on files of our own making."""
