"""Judged exports: logs and folders with one thing wrong each, or nothing, and the code that is given to them."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from ledger.approval_state import digest_of
from ledger.audit.export_folder import MANIFEST
from ledger.audit.leaf import StoredEvent, microseconds
from ledger.events.approvals import ApprovalGiven, ApprovalPolicyChanged, ApprovalRequested
from ledger.events.credit_lines import CreditLossProposed, CreditWrittenOff
from ledger.events.entries import Adjusting, EntryPosted
from ledger.events.event import Event, Metadata
from ledger.events.payouts import Destination, PayoutApproved, PayoutCreated, PayoutReserved
from ledger.events.periods import PeriodClosed, PeriodReopened
from ledger.events.transfers import TransferPosted
from ledger.journal import Direction, Posting
from tests.audit.exports import ACCOUNTS, START, Attacker, Book, claims_of, note_of, opened, stored, transfers
from tests.audit.vectors import ORIGIN, signer

Judged = dict[str, tuple[Path, int, int | None]]
"""By name: the folder, the code, the event."""
BASE = [*opened(*ACCOUNTS), *transfers(6)]
"""Ten events: four accounts, six transfers."""
TEN = Book(stored(BASE)).leaves
MAKER, CHECKER = Metadata("key_1", "m", person="ann"), Metadata("key_2", "c", person="bob")
LATE = START - timedelta(days=3)
"""A moment in a month that may be closed."""

Written = list[Any]


def transfer(stream: str, amount: int = 1, at: datetime | None = None) -> tuple[str, Event]:
    return stream, TransferPosted("a", "b", amount, "EUR", at)


def caused_by(event: str, key: str = "e") -> Metadata:
    return Metadata("key_2", key, causation=event, person="bob")


def approval(kind: str, *, maker: str = "ann", by: Metadata = MAKER, given_by: Metadata = CHECKER) -> Written:
    requested = ApprovalRequested("apr_1", kind, "{}", digest_of(kind, "{}"), maker, START)
    given = ApprovalGiven("apr_1", kind, requested.digest, maker, given_by.person)
    return [("apr_1", requested, by), ("apr_1", given, given_by)]


CLOSED = ("period/2026-02", PeriodClosed("2026-02", "over"))
AN_ENTRY = tuple(Posting(name, side, 5, "EUR") for name, side in (("a", Direction.DEBIT), ("b", Direction.CREDIT)))


def adjusting(period: str = "2026-02", name: str = "apr_1") -> tuple[str, Event]:
    return "ent_x", EntryPosted(AN_ENTRY, LATE, adjusting=Adjusting(period, "late", name))


def loss(checker: str, maker: str = "ann") -> Written:
    proposed = CreditLossProposed(1, "write_off", "carol", 5, "EUR", "gone", "ann")
    return [("crl_1", proposed), ("crl_1", CreditWrittenOff(1, "carol", 5, "EUR", 5, maker, checker))]


def payout(amount: int, *, needs_approval: bool) -> tuple[str, Event, Metadata]:
    created = PayoutCreated(
        "po_1", "merchant", "shop", amount, "EUR", 0, "bank", Destination("bank_account"), needs_approval=needs_approval
    )
    return "po_1", created, MAKER


SENT = ("po_1", PayoutReserved("po_1", "merchant", "shop", "bank", 5, "EUR", 0, Destination("bank_account")))
POLICY = ("approvals/policy", ApprovalPolicyChanged(1, "start", transfers={"EUR": 1000}, payouts={}))

# What a log may hold behind its first ten events, and what is to be said of it: the code, and the event.
LOGS: dict[str, tuple[Written, int, int | None]] = {
    "nothing more": ([], 0, None),
    "a month is closed, and nothing takes effect in it": ([CLOSED, transfer("ent_x")], 0, None),
    "a transfer takes effect in a closed month": ([CLOSED, transfer("ent_x", at=LATE)], 24, 12),
    "a month is opened again by nobody": ([CLOSED, ("period/2026-02", PeriodReopened("2026-02", "x"))], 25, 12),
    "a month is opened again, and a transfer takes effect in it": (
        [
            CLOSED,
            *approval("periods.reopen"),
            ("period/2026-02", PeriodReopened("2026-02", "x", "apr_1"), caused_by("apr_1.2")),
            transfer("ent_x", at=LATE),
        ],
        0,
        None,
    ),
    "a month is closed in spite of a check, by nobody": (
        [("period/2026-02", PeriodClosed("2026-02", "over", overridden=("breaks",)))],
        25,
        11,
    ),
    "a closed month is adjusted by two": (
        [CLOSED, *approval("entries.post"), (*adjusting(), caused_by("apr_1.2"))],
        0,
        None,
    ),
    "a closed month is adjusted by nobody": ([CLOSED, adjusting()], 24, 12),
    "another month is adjusted": (
        [CLOSED, *approval("entries.post"), (*adjusting("2026-01"), caused_by("apr_1.2"))],
        24,
        14,
    ),
    "a closed month is adjusted by an approval of something else": (
        [CLOSED, *approval("periods.reopen"), (*adjusting(), caused_by("apr_1.2"))],
        24,
        14,
    ),
    "one person approves with another key": (
        approval("entries.post", given_by=Metadata("key_2", "c", person="ann")),
        25,
        12,
    ),
    "one key approves as another person": (
        approval("entries.post", given_by=Metadata("key_1", "c", person="bob")),
        25,
        12,
    ),
    "another thing is approved than was asked for": (
        [approval("entries.post")[0], approval("entries.reverse")[1]],
        25,
        12,
    ),
    "nobody had asked": (approval("entries.post")[1:], 25, 11),
    "the policy lets small transfers pass": ([POLICY, transfer("ent_x", 1000)], 0, None),
    "the policy does not let a large transfer pass": ([POLICY, transfer("ent_x", 1001)], 25, 12),
    "a large transfer is approved": (
        [POLICY, *approval("transfers.post"), (*transfer("ent_x", 1001), caused_by("apr_1.2"))],
        0,
        None,
    ),
    "the policy is changed by one": ([POLICY, ("approvals/policy", ApprovalPolicyChanged(2, "x"))], 25, 12),
    "the policy asks for two, and a payout does not": ([POLICY, payout(5, needs_approval=False)], 25, 12),
    "a payout waits, and is sent": ([payout(5, needs_approval=True), SENT], 25, 12),
    "a payout is approved by its maker": (
        [payout(5, needs_approval=True), ("po_1", PayoutApproved("po_1"), MAKER)],
        25,
        12,
    ),
    "a payout is approved by another one": (
        [payout(5, needs_approval=True), ("po_1", PayoutApproved("po_1"), CHECKER), SENT],
        0,
        None,
    ),
    "a loss is agreed to by another one": (loss("bob"), 0, None),
    "a loss is agreed to by its maker": (loss("ann"), 25, 12),
    "a loss is agreed to by nobody": (loss(""), 25, 12),
    "a loss has another maker": (loss("bob", maker="eve"), 25, 12),
    "a loss was not proposed": (loss("bob")[1:], 25, 11),
    "one key has two effects": (
        [(*transfer("ent_x"), Metadata("k", "key-7")), (*transfer("ent_y"), Metadata("k", "key-7"))],
        23,
        11,
    ),
    "one command has two events": (
        [(*transfer("ent_x"), Metadata("k", "one")), (*transfer("ent_y"), Metadata("k", "one"))],
        0,
        None,
    ),
    "an account is opened otherwise than the chart has it": (opened("a", currency="USD"), 22, 11),
    "an account is not in the chart": ([("ent_x", TransferPosted("a", "nobody", 1, "EUR"))], 22, 11),
    "another currency than the account's": ([("ent_x", TransferPosted("a", "b", 1, "USD"))], 22, 11),
}


def _entry_of(event: StoredEvent, *lines: tuple[int, int, bytes, bytes]) -> StoredEvent:
    head = event.entry[:8] + len(lines).to_bytes(2, "big")
    body = b"".join(
        bytes([side]) + amount.to_bytes(8, "big") + bytes([len(unit)]) + unit + len(name).to_bytes(2, "big") + name
        for side, amount, unit, name in lines
    )
    return msgspec.structs.replace(event, entry=head + body)


def _replaced(event: StoredEvent, **fields: Any) -> StoredEvent:
    return msgspec.structs.replace(event, **fields)


# What is done to the seventh event of ten, and what is to be said.
SEVENTH: dict[str, tuple[Callable[[StoredEvent], StoredEvent], int]] = {
    "recorded before the one in front": (lambda e: _replaced(e, recorded_at=START), 11),
    "takes effect after it was recorded": (
        lambda e: _replaced(
            e,
            entry=(microseconds(e.recorded_at) + 1).to_bytes(8, "big") + e.entry[8:],
        ),
        11,
    ),
    "at another position": (lambda e: _replaced(e, position=8), 11),
    "metadata that is no JSON": (lambda e: _replaced(e, metadata=b"{"), 11),
    "metadata that is a list": (lambda e: _replaced(e, metadata=b"[]"), 11),
    "a key that is a number": (lambda e: _replaced(e, metadata=b'{"key":7}'), 11),
    "metadata that is not a number either": (lambda e: _replaced(e, metadata=b'{"a":NaN}'), 11),
    "a state that is not what its topic says": (lambda e: _replaced(e, topic="periods.closed.v1"), 11),
    "an entry that is cut": (lambda e: _replaced(e, entry=e.entry[:-1]), 11),
    "an entry with a rest": (lambda e: _replaced(e, entry=e.entry + b"\0"), 11),
    "a version that is left out": (lambda e: _replaced(e, version=2), 20),
    "a version of nothing": (lambda e: _replaced(e, version=0), 20),
    "apart by one": (lambda e: _entry_of(e, (0, 5, b"EUR", b"a"), (1, 4, b"EUR", b"b")), 21),
    "apart in each currency": (lambda e: _entry_of(e, (0, 5, b"EUR", b"a"), (1, 5, b"USD", b"b")), 21),
    "a single posting": (lambda e: _entry_of(e, (0, 5, b"EUR", b"a")), 21),
    "no posting": (lambda e: _entry_of(e), 21),
    "amounts of nothing": (lambda e: _entry_of(e, (0, 0, b"EUR", b"a"), (1, 0, b"EUR", b"b")), 21),
    "a third side": (lambda e: _entry_of(e, (2, 5, b"EUR", b"a"), (3, 5, b"EUR", b"b")), 21),
}


def _moved(folder: Path, account: str) -> None:
    claims = json.loads((folder / "balances.json").read_bytes())
    debits, credits_ = claims["accounts"].get(account, ("0", "0"))
    claims["accounts"][account] = [str(int(debits) + 1), credits_]
    (folder / "balances.json").write_text(json.dumps(claims))


def _claimed(folder: Path, **fields: Any) -> None:
    claims = json.loads((folder / "balances.json").read_bytes())
    (folder / "balances.json").write_text(json.dumps(claims | fields))


def _manifest(folder: Path, **fields: Any) -> None:
    manifest = json.loads((folder / MANIFEST).read_bytes())
    (folder / MANIFEST).write_text(json.dumps(manifest | fields))


def _names_outside(folder: Path) -> None:
    (folder.parent / "outside").write_bytes(b"")
    files = json.loads((folder / MANIFEST).read_bytes())["files"]
    _manifest(folder, files=files | {"../outside": {"bytes": 0, "sha256": sha256(b"").hexdigest()}})


def _cut(file: Path, count: int = 1) -> None:
    file.write_bytes(file.read_bytes()[:-count])


# What is done to the files of an export, whether the manifest is made to fit, and what is to be said.
FILES: dict[str, tuple[Callable[[Path], object], bool, int]] = {
    "a balance": (lambda folder: _moved(folder, "a"), True, 22),
    "a balance of nobody": (lambda folder: _moved(folder, "x"), True, 22),
    "a balance that is no number": (lambda folder: _claimed(folder, accounts={"a": ["1", "x"]}), True, 10),
    "a balance below nothing": (lambda folder: _claimed(folder, accounts={"a": ["1", "-1"]}), True, 10),
    "a trial balance": (lambda folder: _claimed(folder, trial_balance={"EUR": ["1", "1"]}), True, 22),
    "a trial balance of another currency": (
        lambda folder: _claimed(folder, trial_balance={"JPY": ["1", "1"]}),
        True,
        22,
    ),
    "balances of another size": (lambda folder: _claimed(folder, size=9), True, 10),
    "a balance, and the manifest does not know": (lambda folder: _moved(folder, "a"), False, 10),
    "no manifest": (lambda folder: (folder / MANIFEST).unlink(), False, 10),
    "a manifest of another root": (lambda folder: _manifest(folder, root="00" * 32), False, 10),
    "a manifest of another origin": (lambda folder: _manifest(folder, origin="another"), False, 10),
    "a manifest of another format": (lambda folder: _manifest(folder, format="ledger-export/v2"), False, 10),
    "a manifest with a file outside": (_names_outside, False, 10),
    "a manifest of no size": (lambda folder: _manifest(folder, size=-1), False, 10),
    "half a manifest": (lambda folder: _cut(folder / MANIFEST, 100), False, 10),
    "no chart": (lambda folder: (folder / "chart.json").unlink(), False, 10),
    "no leaves": (lambda folder: (folder / "entries" / "000000.bin").unlink(), False, 10),
    "no tile": (lambda folder: (folder / "tile" / "0" / "000.p" / "10").unlink(), False, 10),
    "no SPEC.md": (lambda folder: (folder / "SPEC.md").unlink(), False, 10),
    "a cut tile": (lambda folder: _cut(folder / "tile" / "0" / "000.p" / "10"), True, 12),
    "a bundle that ends within a leaf": (lambda folder: _cut(folder / "entries" / "000000.bin"), True, 11),
    "a checkpoint that is none": (lambda folder: _cut(folder / "checkpoint"), True, 10),
    "another's checkpoint": (
        lambda folder: (folder / "checkpoint").write_bytes(note_of(TEN, 10, signer("another", 1), "another")),
        True,
        10,
    ),
    "an older checkpoint in the place of the newest": (
        lambda folder: (folder / "checkpoint").write_bytes(note_of(TEN, 9)),
        True,
        13,
    ),
    "an older checkpoint that another key has signed, of whatever": (
        lambda folder: (folder / "checkpoints" / "4").write_bytes(note_of(TEN[1:], 4, signer(ORIGIN, 9))),
        True,
        0,
    ),
    "an older checkpoint that is signed wrongly": (
        lambda folder: (folder / "checkpoints" / "4").write_bytes(note_of(TEN, 4).replace(b"\n4\n", b"\n5\n")),
        True,
        14,
    ),
    "an older checkpoint of another history": (
        lambda folder: (folder / "checkpoints" / "4").write_bytes(note_of(TEN[1:], 4)),
        True,
        16,
    ),
}


def write_all(room: Path) -> Judged:
    """Every export of these tables, by name."""
    found: Judged = {}
    for name, (more, code, at) in LOGS.items():
        # What payouts and losses post is not what they are here for.
        events = [
            _replaced(one, entry=b"") if one.stream in ("po_1", "crl_1") else one for one in stored([*BASE, *more])
        ]
        book = Book(events)
        book.chart = book.chart[:4]
        claims = claims_of(book.leaves, ACCOUNTS) if code == 0 else None
        found[name] = book.write(room / str(len(found)), claims), code, at
    for name, (change, code) in SEVENTH.items():
        events = stored(BASE)
        events[6] = change(events[6])
        found[name] = Book(events).write(room / str(len(found))), code, 7
    for name, (spoil, fits, code) in FILES.items():
        book = Book(stored(BASE), older=(4, 7))
        folder = book.write(room / str(len(found)))
        spoil(folder)
        if fits:
            Attacker(folder, book).manifest()
        found[name] = folder, code, None
    return found
