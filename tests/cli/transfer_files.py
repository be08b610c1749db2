"""Files of made-up transfers, the same ones as CSV and as JSON lines; `python -m tests.cli.transfer_files` writes them.

python -m tests.cli.transfer_files ROWS ACCOUNTS FILE.csv FILE.jsonl
"""

import csv
import json
import random
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

COLUMNS = ["debit_account", "credit_account", "amount", "currency", "reference", "description", "metadata.order"]


def account(number: int) -> str:
    return f"acc:{number}"


def transfers(rows: int, accounts: int, *, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Transfers between `accounts` accounts; the same seed gives the same ones."""
    chosen = random.Random(seed)
    for number in range(rows):
        payer, payee = chosen.sample(range(accounts), 2)
        yield {
            "debit_account": account(payer),
            "credit_account": account(payee),
            "amount": chosen.randint(1, 10_000),
            "currency": "EUR",
            "reference": f"r{seed}-{number}",
            "description": f"Transfer no. {number}, „quoted“ and, with commas",
            "metadata": {"order": f"o-{number}"},
        }


def write_csv(file: Path, rows: Iterable[dict[str, Any]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as sink:
        writer = csv.writer(sink)
        writer.writerow(COLUMNS)
        for row in rows:
            writer.writerow([*(row[name] for name in COLUMNS[:-1]), row["metadata"]["order"]])


def write_json_lines(file: Path, rows: Iterable[dict[str, Any]]) -> None:
    with file.open("w", encoding="utf-8") as sink:
        sink.writelines(json.dumps(row) + "\n" for row in rows)


def main(rows: str, accounts: str, csv_file: str, json_lines_file: str) -> None:
    write_csv(Path(csv_file), transfers(int(rows), int(accounts)))
    write_json_lines(Path(json_lines_file), transfers(int(rows), int(accounts), seed=2))


if __name__ == "__main__":
    main(*sys.argv[1:])
