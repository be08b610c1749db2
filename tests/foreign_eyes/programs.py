"""The programs: hledger and beancount, run as anybody runs them, and what they say of a journal."""

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest

_BIN = Path(sys.executable).parent
_PATIENCE_S = 120
# Account names -> balance in whole units, a debit positive; those at zero may be left out.
Balances = dict[str, Decimal]


class Program(NamedTuple):
    """A program that reads journals of its format; `refusal` says why it refuses one, empty if it does not."""

    name: str
    refusal: Callable[[Path], str]
    balances: Callable[[Path], Balances]


def _run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
    return subprocess.run(words, capture_output=True, text=True, timeout=_PATIENCE_S, check=False, env=environment)


def _said(*words: str | Path) -> str:
    done = _run(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _why(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode in (0, 1), done.stderr
    assert bool(done.stderr) == bool(done.returncode), done.stderr
    return done.stderr


def _hledger() -> str:
    found = shutil.which("hledger")
    if found is None:
        pytest.skip("hledger is not installed (Debian: apt-get install hledger)")
    return found


def _check_with_hledger(journal: Path) -> str:
    return _why(_run(_hledger(), "-f", journal, "check", "--strict", "ordereddates"))


def hledger(journal: Path, *words: str) -> str:
    """What hledger says."""
    return _said(_hledger(), "-f", journal, *words)


def _balances_of_hledger(journal: Path) -> Balances:
    told = hledger(journal, "balance", "--flat", "--empty", "--no-total", "-O", "csv")
    rows = list(csv.reader(told.splitlines()))[1:]
    return {name: Decimal(balance.partition(" ")[0]) for name, balance in rows}


def _check_with_beancount(journal: Path) -> str:
    return _why(_run(_BIN / "bean-check", "--no-cache", journal))


def _balances_of_beancount(journal: Path) -> Balances:
    rows = query(journal, "SELECT account, sum(number) GROUP BY account")
    return {name: Decimal(balance) for name, balance in rows}


def query(journal: Path, question: str) -> list[list[str]]:
    """What bean-query answers, without its heading."""
    told = _said(_BIN / "bean-query", "--format", "csv", journal, question)
    return [[cell.strip() for cell in row] for row in list(csv.reader(told.splitlines()))[1:]]


HLEDGER = Program("hledger", _check_with_hledger, _balances_of_hledger)
BEANCOUNT = Program("beancount", _check_with_beancount, _balances_of_beancount)
PROGRAMS = (HLEDGER, BEANCOUNT)
