"""Any words: descriptions and references of any characters, read by the programs themselves, stay what they are."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from ledger.audit.plain_text import AccountLine, EntryLine, Journal, JournalText, one_line
from ledger.audit.plain_text_beancount import BeancountText
from ledger.audit.plain_text_hledger import HledgerText
from ledger.journal import credit, debit
from tests.foreign_eyes.programs import BEANCOUNT, HLEDGER, hledger, query

NOON = datetime(2026, 3, 15, 12, tzinfo=UTC)
COUNT = 400
# What either program's grammar is made of, what ends lines in any script, and what nobody sees.
_SPECIAL = "\n\r\t\x00\x0b\x0c\x1b\x7f\x85\xa0\u2028\u2029\u202e\u200b\ufeff;,:|*!()[]{}<>\"'\\/#^@=~%&?+-_.0123456789 "
_WORDS = (
    "\n2026-01-01 open Assets:Evil\n",
    '"\n2026-01-01 close Assets:A-EUR\n"',
    "\ninclude /etc/passwd\n",
    "  ; date:2020-01-01, position:7",
    "[2020-01-01=2020-01-02]",
    "\n    Assets:A-EUR  5.00 EUR\n",
    "\ncomment\n",
    "\nend comment",
    '\noption "title" "Evil"',
    "\npushtag #evil",
    "=2020-01-01",
    "evil: yes",
)


def texts(seed: int) -> list[str]:
    draw = Random(seed)

    def character() -> str:
        if draw.random() < 0.6:
            return draw.choice(_SPECIAL)
        return chr(
            draw.choice((draw.randrange(0x20, 0x250), draw.randrange(0x20, 0xD800), draw.randrange(0xE000, 0x110000)))
        )

    def text() -> str:
        parts = ["".join(character() for _ in range(draw.randrange(12))) for _ in range(2)]
        return draw.choice(_WORDS).join(parts) if draw.random() < 0.5 else "".join(parts)

    return [text() for _ in range(COUNT)]


def written(kind: Callable[[Journal], JournalText], said: list[str], referred: list[str], file: Path) -> Path:
    accounts = [AccountLine(name, "asset", "EUR", said[at], NOON) for at, name in enumerate(("a", "b"))]
    postings = (debit("a", 1, "EUR"), credit("b", 1, "EUR"))
    entries = [
        EntryLine(at + 1, f"ent_{at}", "ent", "entries.posted.v1", NOON, NOON, postings, referred[at], said[at])
        for at in range(COUNT)
    ]
    text = kind(Journal("shop", COUNT, None, None, NOON.date()))
    closing = {"a": COUNT, "b": -COUNT}
    file.write_text("".join((*text.begin(accounts, {}), text.entries(entries), *text.close(closing))), encoding="utf-8")
    return file


def test_beancount_reads_the_words_and_nothing_else(tmp_path: Path) -> None:
    said, referred = texts(1), texts(2)
    file = written(BeancountText, said, referred, tmp_path / "journal")
    assert BEANCOUNT.refusal(file) == ""
    assert BEANCOUNT.balances(file) == {"Assets:A-EUR": 4, "Assets:B-EUR": -4}
    rows = query(file, "SELECT DISTINCT entry_meta('position'), narration, entry_meta('reference'), year, tags, links")
    found = {int(position): words for position, *words in rows}
    assert found == {
        at + 1: [one_line(said[at]).strip(), one_line(referred[at]).strip(), "2026", "", ""] for at in range(COUNT)
    }


def test_hledger_reads_the_words_and_nothing_else(tmp_path: Path) -> None:
    said, referred = texts(1), texts(2)
    file = written(HledgerText, said, referred, tmp_path / "journal")
    assert HLEDGER.refusal(file) == ""
    assert HLEDGER.balances(file) == {"Assets:A-EUR": 4, "Assets:B-EUR": -4}
    told = msgspec.json.decode(hledger(file, "print", "-O", "json"), type=list[dict[str, Any]])
    found = {int(one["tcode"]): one for one in told if one["tcode"]}
    assert len(found) == COUNT == len(told) - 3  # A day begins, it ends, and the balances are closed.
    for at in range(COUNT):
        one = found[at + 1]
        assert one["tdescription"] == one_line(said[at]).replace(";", "；").strip()
        tags = dict(one["ttags"])
        assert len(one["ttags"]) == 6
        assert tags["entry"] == f"ent_{at}"
        assert tags["reference"] == one_line(referred[at]).replace(";", "；").replace(",", "，").strip()
        assert one["tdate"] == "2026-03-15"
        assert one["tdate2"] is None
        assert not any(posting["pdate"] or posting["pdate2"] for posting in one["tpostings"])
