"""Break resolutions: by what a break may be resolved, each of them a command of its own.

name             about                                what is done
merchant_bears   a row and an item of ours            settled; the merchant bears the difference (K3)
platform_bears   a row and an item of ours            settled; we bear it (K3)
settle_with      a row; `item`: ours, if not the one  they are the same; a fee beyond what was agreed is claimed (K6)
clear_with       a line of a bank; `account`          it belongs to this account
                 a row that stands in suspense        the same
suspend          a row or a line that nobody knows    it stands in suspense until somebody does (J5, J6)
take_evidence    a row that names what we asked for   its channel's word, as from a callback: the next run settles it
correct_payment  a payment; `status`                  what became of it: succeeded or failed (K2)
give_up_claim    a fee; `item`                        what we claim of the channel is our cost
claim_paid       a row; `item`                        the channel pays back what we claimed for the item
offset           an item; `against`                   they are nothing together
ignore           anything                             nothing is posted

Where the batch of a row was paid without it, `batch` says in which other one it is paid.
"""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, time
from typing import Literal

import msgspec

from commands import (
    bank_lines,
    claims,
    corrections,
    entries,
    payments,
    receipts,
    refunds,
    repayments,
    settlement_batches,
    settlements,
    top_ups,
)
from commands.bank_line_clearings import ByAccount, check_nameable
from commands.bank_lines import ClearBankLine, SuspendBankLine
from commands.books import Books
from commands.channel_results import command_for
from commands.channels.channel import Charged, Refunded, RefundReturned
from commands.consequences import with_consequences
from commands.corrections import CorrectPayment
from commands.entries import PostEntry
from commands.envelope import Command, Envelope
from commands.handler import Decider
from commands.policies.reconciliation import is_bank
from commands.settlement_batches import SettleBatchRow
from commands.settlements import CloseClaim, OffsetItems, SettleLine
from commands.system_accounts import StreamEvents
from ledger.accounts import SYSTEM_PREFIX, Status
from ledger.break_state import Break
from ledger.chart import Code, code_of, suspense_credit, suspense_debit
from ledger.errors import FieldInvalid, FieldMissing, UnknownField
from ledger.events.bank_lines import BankLine
from ledger.events.breaks import BreakOpened, BreakRow
from ledger.events.settlements import RowPlace
from ledger.ids import ENTRY, PAYMENT, RECEIPT_RETURN, REFUND, REPAYMENT, TOP_UP, stream_of
from ledger.journal import credit, debit
from ledger.receivable_item import stream_of_item

DECIDERS_OF_RESOLUTIONS: dict[type[Command], Decider] = (
    settlements.DECIDERS
    | claims.DECIDERS
    | settlement_batches.DECIDERS
    | bank_lines.DECIDERS
    | corrections.DECIDERS
    | entries.DECIDERS
    | payments.DECIDERS
    | refunds.DECIDERS
    | receipts.DECIDERS
    | top_ups.DECIDERS
    | repayments.DECIDERS
)
UNSURE = "unsure:"
"""Begins the name of an item that is in nobody's books: nobody told us its end, or that it failed."""
IGNORE, TAKE_EVIDENCE, SUSPEND = "ignore", "take_evidence", "suspend"

_SETTLED_BY = ("settle_with", "merchant_bears", "platform_bears")
FOLLOWED_BY: dict[str, tuple[str, ...]] = {
    SUSPEND: ("clear_with",),
    **dict.fromkeys(_SETTLED_BY, ("give_up_claim",)),
}
"""What may still be done for a break that was resolved so."""


class Resolution(msgspec.Struct, frozen=True):
    """What is to be done, and what is recorded behind it; no command where nothing is."""

    command: Command | None
    then: StreamEvents = []
    own_accounts: bool = False
    """Its account was judged, so that it may be one of ours."""

    def decide(self, books: Books, envelope: Envelope) -> tuple[StreamEvents, StreamEvents]:
        """The events that it comes to, and these with all that follows from them by itself; raises its refusal."""
        if self.command is None:
            return [], []
        if self.own_accounts:
            envelope = msgspec.structs.replace(envelope, administrator=True)
        decided = DECIDERS_OF_RESOLUTIONS[type(self.command)].decide(books, self.command, envelope)
        whole = with_consequences(lambda *_: decided)(books, self.command, envelope)
        return [*decided.events, *self.then], [*whole.events, *self.then]


class _Parameters(msgspec.Struct, forbid_unknown_fields=True):
    item: str = ""
    against: str = ""
    account: str = ""
    status: str = ""
    batch: str = ""


class _Asked(msgspec.Struct, frozen=True):
    """A resolution that is asked for: the break, which proposal it is, and its parameters."""

    found: Break
    number: int
    given: _Parameters

    @property
    def opened(self) -> BreakOpened:
        return self.found.opened


def place_of(row: BreakRow) -> RowPlace:
    """Which row of which file."""
    return RowPlace(row.file, row.number, row.line, row.external_id)


def bank_line_of(opened: BreakOpened, row: BreakRow) -> BankLine:
    """The line of the bank that a break is about."""
    return BankLine(opened.account, row.fingerprint, row.gross, row.currency, place_of(row), False, row.bank_reference)


def _bears(who: Literal["merchant", "platform"]) -> "_Make":
    def make(books: Books, asked: _Asked) -> Resolution:
        return _settled(asked, who)

    return make


def _settle_with(books: Books, asked: _Asked) -> Resolution:
    return _settled(asked, "")


def _settled(asked: _Asked, bears: Literal["", "merchant", "platform"]) -> Resolution:
    opened = asked.opened
    if is_bank(opened.source):
        raise FieldInvalid("Only a row of a channel's report is settled so.", pointer="/resolution")
    first, *more = _rows(opened)
    net, currency = _net_of(first)
    abroad = currency != first.currency
    if more and any(row.currency != first.currency or row.net_currency for row in (first, *more)):
        raise FieldInvalid("Rows in several currencies are not one line.", pointer="/resolution")
    # A fee in another currency is none of this line: it stands in the row's net.
    fee = first.fee + sum(row.fee for row in more)
    gross = net + fee if abroad else first.gross + sum(row.gross for row in more)
    line = SettleLine(
        item=_item_of(asked),
        row=place_of(first),
        kind=first.kind,
        channel=opened.account,
        currency=currency,
        gross=net if abroad and first.fee_currency != currency else gross,
        fee=0 if abroad and first.fee_currency != currency else fee,
        batch=asked.given.batch or first.batch,
        more_rows=tuple(place_of(row) for row in more),
        bears=bears,
        reason=opened.id,
    )
    return Resolution(line)


def _clear_with(books: Books, asked: _Asked) -> Resolution:
    opened, name = asked.opened, _needed(asked.given.account, "account")
    row = _only_row(opened)
    net, currency = _net_of(row)
    account = books.find_account(name)
    if account is not None and (account.currency != currency or account.status != Status.OPEN):
        words = f"It is {account.status}, and kept in {account.currency}."
        raise FieldInvalid(words, pointer="/parameters/account", account=name)
    if is_bank(opened.source):
        return Resolution(ClearBankLine(bank_line_of(opened, row), ByAccount(name), opened.id))
    if SUSPEND not in [one.resolution for one in asked.found.standing]:
        raise FieldInvalid("A row of a channel's report stands in suspense first.", pointer="/resolution")
    check_nameable(books, name)
    if name.startswith(SYSTEM_PREFIX) and code_of(name) in (Code.BANK_CLIENT, Code.BANK_OWN):
        raise FieldInvalid("Only its statement moves a bank's account.", pointer="/parameters/account", account=name)
    amount = abs(net)
    if net > 0:
        postings = debit(suspense_credit(opened.account, currency), amount, currency), credit(name, amount, currency)
    else:
        postings = debit(name, amount, currency), credit(suspense_debit(opened.account, currency), amount, currency)
    entry = PostEntry(entry_of_clearing(opened.id, asked.number), postings, description=opened.id)
    return Resolution(entry, own_accounts=True)


def entry_of_clearing(name: str, number: int) -> str:
    """The entry by which the proposal of this number takes the row of a break out of suspense."""
    return ENTRY + hashlib.sha256(f"{name}/{number}".encode()).hexdigest()[:32]


def _suspend(books: Books, asked: _Asked) -> Resolution:
    opened = asked.opened
    row = _only_row(opened)
    if is_bank(opened.source):
        return Resolution(SuspendBankLine(bank_line_of(opened, row), opened.id))
    net, currency = _net_of(row)
    batch = (opened.account, currency, asked.given.batch or row.batch)
    return Resolution(SettleBatchRow(*batch, "suspense", net, place_of(row), opened.id))


def _take_evidence(books: Books, asked: _Asked) -> Resolution:
    opened, row = asked.opened, _only_row(asked.opened)
    at = row.at or datetime.combine(opened.since or asked.found.opened_at.date(), time(), UTC)
    fee = None if row.fee_currency else row.fee
    subject, moved = row.our_reference, (row.external_id, abs(row.gross), row.currency)
    word: Command | None = None
    match row.kind:
        case "sale" if subject.startswith((PAYMENT, TOP_UP, REPAYMENT)) and stream_of(subject):
            word = command_for(subject, opened.account, Charged(*moved, fee, at))
        case "refund" if subject.startswith((REFUND, RECEIPT_RETURN)):
            word = command_for(subject, opened.account, Refunded(*moved, None if fee is None else -fee, at))
        case "refund_returned" if subject.startswith(REFUND):
            word = command_for(subject, opened.account, RefundReturned(*moved, "", opened.id, at))
    if word is None:
        raise FieldInvalid("The row names nothing that we asked its channel for.", pointer="/resolution")
    return Resolution(word)


def _correct(books: Books, asked: _Asked) -> Resolution:
    opened = asked.opened
    names = [name.removeprefix(UNSURE) for name in (*opened.items, *opened.related)]
    streams = {stream_of(name) or stream_of_item(name) for name in names}
    streams |= {stream_of(row.our_reference) for row in opened.rows}
    found = {stream for stream in streams if stream.startswith(PAYMENT)}
    if len(found) != 1:
        raise FieldInvalid("The break is not about one payment.", pointer="/resolution")
    match asked.given.status:
        case "succeeded" | "failed" as status:
            reference = opened.rows[0].external_id if opened.rows else None
            return Resolution(CorrectPayment(found.pop(), status, opened.id, reference or None))
    raise FieldInvalid("It has succeeded, or it has failed.", pointer="/parameters/status")


def _give_up_claim(books: Books, asked: _Asked) -> Resolution:
    return Resolution(CloseClaim(_item_of(asked), reason=asked.opened.id))


def _claim_paid(books: Books, asked: _Asked) -> Resolution:
    row = _only_row(asked.opened)
    net, _ = _net_of(row)
    item = _needed(asked.given.item, "item")
    return Resolution(CloseClaim(item, net, asked.given.batch or row.batch, place_of(row), reason=asked.opened.id))


def _offset(books: Books, asked: _Asked) -> Resolution:
    one = _only_item(asked.opened)
    return Resolution(OffsetItems(one, _needed(asked.given.against, "against"), asked.opened.id))


def _ignore(books: Books, asked: _Asked) -> Resolution:
    return Resolution(None)


_Make = Callable[[Books, _Asked], Resolution]
# Each with the names of the parameters that it takes.
_MADE_BY: dict[str, tuple[_Make, tuple[str, ...]]] = {
    "merchant_bears": (_bears("merchant"), ("item", "batch")),
    "platform_bears": (_bears("platform"), ("item", "batch")),
    "settle_with": (_settle_with, ("item", "batch")),
    "clear_with": (_clear_with, ("account",)),
    SUSPEND: (_suspend, ("batch",)),
    TAKE_EVIDENCE: (_take_evidence, ()),
    "correct_payment": (_correct, ("status",)),
    "give_up_claim": (_give_up_claim, ("item",)),
    "claim_paid": (_claim_paid, ("item", "batch")),
    "offset": (_offset, ("against",)),
    IGNORE: (_ignore, ()),
}
RESOLUTIONS = tuple(_MADE_BY)


def resolution_of(books: Books, found: Break, number: int, name: str, parameters: dict[str, str]) -> Resolution:
    """The resolution of this name for this break, as its proposal of this number; raises what is wrong with it."""
    made_by = _MADE_BY.get(name)
    if made_by is None:
        raise FieldInvalid(f"A resolution is one of {', '.join((*RESOLUTIONS, 'undo'))}.", pointer="/resolution")
    make, names = made_by
    for given in parameters:
        if given not in names:
            raise UnknownField(f"{name} takes no such parameter.", pointer=f"/parameters/{given}")
    try:
        understood = msgspec.convert(parameters, _Parameters)
    except msgspec.ValidationError as error:
        raise FieldInvalid(str(error), pointer="/parameters") from None
    return make(books, _Asked(found, number, understood))


def _rows(opened: BreakOpened) -> tuple[BreakRow, ...]:
    if not opened.rows:
        raise FieldInvalid("No row of a report is about it.", pointer="/resolution")
    return opened.rows


def _only_row(opened: BreakOpened) -> BreakRow:
    if len(opened.rows) != 1:
        raise FieldInvalid("It is not about one row of a report.", pointer="/resolution")
    return opened.rows[0]


def _net_of(row: BreakRow) -> tuple[int, str]:
    """What a row leaves, and in which currency."""
    return (row.gross - row.fee if row.net is None else row.net), row.net_currency or row.currency


def _item_of(asked: _Asked) -> str:
    """The item that is named, or the one that the break is about."""
    if asked.given.item:
        return asked.given.item
    standing = [one.parameters.get("item", "") for one in asked.found.standing]
    return next(filter(None, standing), "") or _only_item(asked.opened)


def _only_item(opened: BreakOpened) -> str:
    items = opened.items or opened.related
    if len(items) != 1:
        raise FieldMissing("Say which item of ours.", pointer="/parameters/item")
    return items[0]


def _needed(value: str, name: str) -> str:
    if not value:
        raise FieldMissing(pointer=f"/parameters/{name}")
    return value
