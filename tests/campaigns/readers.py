"""Readers: valid report files of every format, damaged again and again; nothing but a refusal of its own comes out.

Each accident is one of those that the tests draw; files that were refused with a new reason, or gave a new mix of rows,
are kept and damaged further, so that the search goes where it has not been. Memory is watched over the whole time.
"""

import argparse
import io
import secrets
import tracemalloc
from collections import Counter
from random import Random

from rich.console import Console
from rich.table import Table

from commands.report_files.sources import SOURCES
from ledger.report_row import Control, FileRefused, RejectedRow, ReportRow
from tests.campaigns._ground import bar
from tests.report_files.test_readers_fuzzed import SPICE, is_sound
from tests.report_files.valid_files import VALID_FILES

_MOST_KEPT = 400
_LONGEST_BYTES = 200_000
_MOST_MEMORY_BYTES = 200 * 1024 * 1024


def damaged(data: bytes, random: Random) -> bytes:
    """The file after one to four accidents."""
    for _ in range(random.randint(1, 4)):
        at, other = random.randint(0, len(data)), random.randint(0, len(data))
        match random.randrange(7):
            case 0 if data:
                place = min(at, len(data) - 1)
                data = data[:place] + bytes([data[place] ^ (1 << random.randrange(8))]) + data[place + 1 :]
            case 1:
                data = data[:at] + data[at + random.randint(1, 60) :]
            case 2:
                data = data[:at]
            case 3:
                data = data[:at] + random.choice(SPICE) + data[at:]
            case 4:
                data = data[:at] + random.randbytes(random.randint(1, 8)) + data[at:]
            case 5:
                first, second = sorted((at, other))
                data = data[:first] + data[second:] + data[first:second]
            case _:
                lines = data.splitlines(keepends=True) or [b""]
                lines.insert(random.randint(0, len(lines)), random.choice(lines))
                data = b"".join(lines)
    return data[:_LONGEST_BYTES]


def told(source: str, data: bytes) -> str:
    """What the reader makes of it, in a word: how it was refused, or which kinds of things it gave."""
    kinds = Counter[str]()
    try:
        for item in SOURCES[source](io.BytesIO(data)):
            is_sound(item)
            match item:
                case ReportRow():
                    kinds[item.kind] += 1
                case RejectedRow():
                    kinds[item.reason[:30]] += 1
                case Control():
                    kinds["control holds" if item.holds else "control fails"] += 1
    except FileRefused as refused:
        return f"refused: {refused.reason[:40]}"
    return " ".join(sorted(kinds)) or "nothing"


def main(arguments: list[str]) -> int:
    options = argparse.ArgumentParser(prog="./run long readers", description=__doc__)
    options.add_argument("--files", type=int, default=200_000, help="how many damaged files are read (200000)")
    options.add_argument("--seed", type=int, help="damages the same ones again; one is chosen and shown without it")
    given = options.parse_args(arguments)
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    console = Console()
    console.print(f"seed {seed}")
    random = Random(seed)
    kept = {source: [file.data for file in VALID_FILES[source]] for source in SOURCES}
    seen: dict[str, Counter[str]] = {source: Counter() for source in SOURCES}
    tracemalloc.start()
    with bar() as progress:
        task = progress.add_task("files", total=given.files)
        for number in range(given.files):
            source = random.choice(sorted(SOURCES))
            data = damaged(random.choice(kept[source]), random)
            try:
                word = told(source, data)
            except Exception as error:
                error.add_note(f"{source}, file {number} of seed {seed}: {data[:2_000]!r}")
                raise
            if not seen[source][word] and len(kept[source]) < _MOST_KEPT:
                kept[source].append(data)
            seen[source][word] += 1
            if number % 100 == 0:
                progress.update(task, completed=number)
    most = tracemalloc.get_traced_memory()[1]
    table = Table("source", "read", "outcomes", "refused", box=None)
    for source, words in seen.items():
        refused = sum(count for word, count in words.items() if word.startswith("refused"))
        table.add_row(source, f"{words.total():,}", str(len(words)), f"{refused:,}")
    console.print(table)
    console.print(f"{given.files:,} files, nothing but refusals; {most // 1024 // 1024} MiB at most")
    return 0 if most < _MOST_MEMORY_BYTES else 1
