"""The command line: `ledger <word>`, one file per word or family of words."""

from api.cli.words import main

__all__ = ["main"]
