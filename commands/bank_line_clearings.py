"""Bank line clearings: what a line of a bank's statement may be about, and the events that say so in the books.

What may be cleared by a line stands in ledger/receivable_items.py. In all of it the line has to come to exactly what
it is said to be about, less what the bank says it kept.
"""

import msgspec

from commands.books import Books
from commands.settlement_state import batch_not_paid
from commands.system_accounts import StreamEvents
from ledger.accounts import SYSTEM_PREFIX
from ledger.chart import Code, bank_fee, code_of, settlement_pending
from ledger.errors import (
    BankLineMismatch,
    EntryNotFound,
    EntrySeenAlready,
    FieldInvalid,
    PayoutNotFound,
    PayoutStateInvalid,
    RefundNotFound,
    RefundStateInvalid,
    SettlementNotUndoable,
)
from ledger.events import payouts
from ledger.events.bank_lines import (
    ACCOUNT,
    BATCHES,
    ENTRY,
    PAYOUT,
    PAYOUT_RETURN,
    REFUND,
    BankLine,
    BankLineCleared,
    BatchShare,
    EntrySeenAtBank,
    EntryUnseenAtBank,
    entry_stream,
)
from ledger.events.event import Event, event_of_entry
from ledger.events.refunds import RefundPaidByBank
from ledger.events.settlements import BatchPaid, BatchUnpaid, batch_stream
from ledger.ids import PAYOUT as PAYOUT_ID
from ledger.ids import REFUND as REFUND_ID
from ledger.ids import stream_of
from ledger.payment import FAILED_AFTER_SUCCESS
from ledger.payment_state import fold as fold_payment
from ledger.payout_state import OPEN, PAID, Payout
from ledger.payout_state import fold as fold_payout
from ledger.posting_rules import movements_for
from ledger.posting_rules.bank_lines import account_of


class BatchName(msgspec.Struct, frozen=True):
    """One batch of one channel; its currency is the line's."""

    channel: str
    batch: str


class ByBatches(msgspec.Struct, frozen=True, tag=BATCHES):
    """A channel pays these batches, or takes them where they are below 0; the bank kept `bank_fee` of it (A10)."""

    batches: tuple[BatchName, ...]
    bank_fee: int = 0


class ByPayouts(msgspec.Struct, frozen=True, tag=PAYOUT):
    """These payouts have left us, and with them what the bank took for it (D2)."""

    payouts: tuple[str, ...]
    bank_fee: int = 0


class ByPayoutReturn(msgspec.Struct, frozen=True, tag=PAYOUT_RETURN):
    """A payout that had left us is here again, less what the bank kept (D4). Where the channel said so before the
    bank, that entry has moved it already."""

    payout: str
    bank_fee: int = 0
    code: str = ""
    message: str = ""


class ByRefund(msgspec.Struct, frozen=True, tag=REFUND):
    """A refund that had come back was paid by this transfer (B7)."""

    refund: str
    bank_fee: int = 0


class ByEntry(msgspec.Struct, frozen=True, tag=ENTRY):
    """An entry has moved the account already: the bank only shows it."""

    entry: str


class ByAccount(msgspec.Struct, frozen=True, tag=ACCOUNT):
    """Somebody knows to which account it belongs."""

    account: str


Clearing = ByBatches | ByPayouts | ByPayoutReturn | ByRefund | ByEntry | ByAccount

# What is on these accounts is the sum of things that have events of their own: nobody moves it past them.
_SUBLEDGERS = frozenset(
    {
        Code.CHANNEL_RECEIVABLE,
        Code.CHANNEL_SETTLEMENT_PENDING,
        Code.CREDIT_PRINCIPAL,
        Code.CREDIT_INTEREST_RECEIVABLE,
        Code.CREDIT_ALLOWANCE,
        Code.DISPUTE_RECEIVABLE,
        Code.COIN_CUSTODY,
        Code.FX_POSITION,
        Code.WALLET_FROZEN,
        Code.MERCHANT_DISPUTE_HOLD,
        Code.REFUND_IN_TRANSIT,
        Code.PAYOUT_IN_TRANSIT,
        Code.AGENCY_IN_TRANSIT,
        Code.AUTHORIZED,
        Code.AUTHORIZED_CONTRA,
    }
)
_OF_ITS_OWN = "What stands on this account has events of its own."
_MOST_BATCHES = 90  # An entry has 100 postings at most.

Cleared = tuple[BankLineCleared, StreamEvents]


def cleared_by(books: Books, line: BankLine, by: Clearing, reason: str) -> Cleared:
    """That the line is about this, and what follows from it. Raises the refusal of what it does not fit."""
    kept = getattr(by, "bank_fee", 0)
    if kept < 0:
        raise FieldInvalid("A fee is not negative.", pointer="/by/bank_fee")
    match by:
        case ByBatches():
            return _by_batches(books, line, by, reason)
        case ByPayouts():
            found = [_payout(books, name) for name in dict.fromkeys(by.payouts)]
            _check_amount(line, -sum(payout.created.amount for payout in found) - kept)
            cleared = BankLineCleared(
                line, PAYOUT, tuple(one.created.id for one in found), bank_fee=kept, reason=reason
            )
            return cleared, [(payout.created.id, _debited(line, payout)) for payout in found]
        case ByPayoutReturn():
            payout = _payout(books, by.payout)
            _check_amount(line, payout.created.amount - kept)
            cleared = BankLineCleared(line, PAYOUT_RETURN, (by.payout,), bank_fee=kept, reason=reason)
            return cleared, [(by.payout, event) for event in _returned(line, payout, by)]
        case ByRefund():
            stream, paid = _paid_by_bank(books, line, by)
            return BankLineCleared(line, REFUND, (by.refund,), bank_fee=kept, reason=reason), [(stream, paid)]
        case ByEntry():
            _check_entry(books, line, by.entry)
            account = account_of(line)
            seen = EntrySeenAtBank(by.entry, account, line.stream)
            return BankLineCleared(line, ENTRY, (by.entry,), reason=reason), [(entry_stream(by.entry, account), seen)]
        case ByAccount():
            _check_account(books, line, by.account)
            return BankLineCleared(line, ACCOUNT, (by.account,), reason=reason), []


def _check_amount(line: BankLine, amount: int) -> None:
    if line.amount != amount:
        raise BankLineMismatch(line=line.stream, amount=line.amount, expected=amount, currency=line.currency)


# --- batches ----------------------------------------------------------------------------------------------------------


def _by_batches(books: Books, line: BankLine, by: ByBatches, reason: str) -> Cleared:
    names = list(dict.fromkeys(by.batches))
    if not names or len(names) > _MOST_BATCHES:
        raise FieldInvalid(f"1 to {_MOST_BATCHES} batches are paid by one line.", pointer="/by/batches")
    shares: list[BatchShare] = []
    for name in names:
        batch_not_paid(books, name.channel, line.currency, name.batch)
        pending = books.find_account(settlement_pending(name.channel, line.currency, name.batch))
        if pending is None:
            raise BankLineMismatch("Nothing was reported of this batch.", channel=name.channel, batch=name.batch)
        shares.append(BatchShare(name.channel, name.batch, pending.balance))
    _check_amount(line, sum(share.amount for share in shares) - by.bank_fee)
    cleared = BankLineCleared(line, BATCHES, batches=tuple(shares), bank_fee=by.bank_fee, reason=reason)
    # What was settled by hand has no batch of its own, and goes on.
    named = [share for share in shares if share.batch]
    return cleared, [(_stream_of(line, share), _paid(line, share)) for share in named]


def _paid(line: BankLine, share: BatchShare) -> BatchPaid:
    return BatchPaid(share.channel, line.currency, share.batch, share.amount, line.stream)


def _stream_of(line: BankLine, share: BatchShare) -> str:
    return batch_stream(share.channel, line.currency, share.batch)


# --- payouts and refunds ----------------------------------------------------------------------------------------------


def _payout(books: Books, name: str) -> Payout:
    payout = fold_payout(books.recorded(name)) if name.startswith(PAYOUT_ID) else None
    if payout is None:
        raise PayoutNotFound(payout=name)
    return payout


def _fits(line: BankLine, payout: Payout) -> bool:
    """Only client money is paid out, in the payout's currency, and not out of a float."""
    return not line.own and payout.created.currency == line.currency and not payout.created.prefunded


def _debited(line: BankLine, payout: Payout) -> Event:
    created = payout.created
    if not _fits(line, payout) or not payout.in_transit:
        raise PayoutStateInvalid(
            f"The payout is {payout.status}, and nothing of it is in transit at this bank.",
            payout=created.id,
            payout_status=payout.status,
            expected_status=PAID,
        )
    whose = (created.id, created.source, created.party)
    return payouts.PayoutDebited(*whose, line.bank_account, created.amount, created.currency, line.stream)


def _returned(line: BankLine, payout: Payout, by: ByPayoutReturn) -> list[Event]:
    """D4, in its two steps; that it had been paid at all need not have been heard of."""
    created = payout.created
    left_us = payout.bank_account and payout.status in (*OPEN, PAID)
    if not _fits(line, payout) or not left_us:
        raise PayoutStateInvalid(
            f"The payout is {payout.status}, and what left us of it is not expected back at this bank.",
            payout=created.id,
            payout_status=payout.status,
            expected_status=PAID,
        )
    whose = (created.id, created.source, created.party)
    paid = payouts.PayoutPaid(*whose, created.channel, "", created.amount, created.currency)
    returned = payouts.PayoutReturned(
        *whose,
        created.channel,
        line.reference or line.row.external_id,
        created.amount,
        created.currency,
        bank_account=line.bank_account,
        channel_code=by.code,
        message=by.message,
        bank_line=line.stream,
    )
    given_back = payouts.PayoutGivenBack(*whose, created.amount, created.currency)
    return [*([] if payout.status == PAID else [paid]), returned, given_back]


def _paid_by_bank(books: Books, line: BankLine, by: ByRefund) -> tuple[str, Event]:
    stream = stream_of(by.refund)
    payment = fold_payment(books.recorded(stream)) if by.refund.startswith(REFUND_ID) and stream else None
    refund = None if payment is None else payment.refund(by.refund)
    if payment is None or refund is None:
        raise RefundNotFound(refund=by.refund)
    if refund.status != FAILED_AFTER_SUCCESS:
        raise RefundStateInvalid(f"The refund is {refund.status}.", refund=by.refund, refund_status=refund.status)
    created = payment.created
    if line.own or created.currency != line.currency:
        raise BankLineMismatch(line=line.stream, currency=line.currency, expected_currency=created.currency)
    _check_amount(line, -refund.by_channel - by.bank_fee)
    return stream, RefundPaidByBank(
        id=by.refund,
        merchant=created.merchant,
        bank_account=line.bank_account,
        amount=refund.by_channel,
        currency=created.currency,
        reference=line.reference,
        bank_line=line.stream,
    )


# --- what was posted before, and what somebody says -------------------------------------------------------------------


def _check_entry(books: Books, line: BankLine, entry: str) -> None:
    stream, version = event_of_entry(entry)
    history = books.recorded(stream)
    event = history[version - 1].event if 0 < version <= len(history) else None
    if event is None:
        raise EntryNotFound(entry=entry)
    seen = books.latest(entry_stream(entry, account_of(line)))
    if stream.startswith("bank_line/") or getattr(event, "bank_line", None):
        raise EntrySeenAlready("A line of the bank's statement has posted it.", entry=entry)
    if seen is not None and isinstance(seen.event, EntrySeenAtBank):
        raise EntrySeenAlready(entry=entry, bank_line=seen.event.bank_line)
    there = [move for move in movements_for(event) if move.account == account_of(line)]
    _check_amount(line, sum(move.debit - move.credit for move in there))


def _check_account(books: Books, line: BankLine, name: str) -> None:
    if name.startswith(SYSTEM_PREFIX) and name == bank_fee(line.bank_account, line.currency):
        return
    if name == account_of(line):
        raise FieldInvalid(_OF_ITS_OWN, pointer="/by/account", account=name)
    check_nameable(books, name)


def check_nameable(books: Books, name: str) -> None:
    """Raises what forbids that somebody says, by its name, that money belongs to this account."""
    books.account(name, pointer="/by/account")
    if name.startswith(SYSTEM_PREFIX) and code_of(name) in _SUBLEDGERS:
        raise FieldInvalid(_OF_ITS_OWN, pointer="/by/account", account=name)


# --- undoing ----------------------------------------------------------------------------------------------------------


def undone_by(books: Books, cleared: BankLineCleared, reason: str) -> StreamEvents:
    """What is recorded beside the reopened line; its own opposite is not here."""
    line = cleared.line
    match cleared.by:
        case by if by == BATCHES:
            named = [share for share in cleared.batches if share.batch]
            return [
                (_stream_of(line, share), BatchUnpaid(share.channel, line.currency, share.batch, line.stream))
                for share in named
            ]
        case by if by == PAYOUT:
            return [(name, _debit_undone(books, name, line, reason)) for name in cleared.subjects]
        case by if by == ENTRY:
            account, (entry,) = account_of(line), cleared.subjects
            return [(entry_stream(entry, account), EntryUnseenAtBank(entry, account, line.stream))]
        case by if by == ACCOUNT:
            return []
    raise SettlementNotUndoable("Its owner has had the money since.", line=line.stream, by=cleared.by)


def _debit_undone(books: Books, name: str, line: BankLine, reason: str) -> Event:
    payout = _payout(books, name)
    debits = [event for event in books.history(name) if isinstance(event, payouts.PayoutDebited)]
    if payout.status not in (*OPEN, PAID):
        words = f"The payout is {payout.status}."
        raise SettlementNotUndoable(words, line=line.stream, payout=name, payout_status=payout.status)
    return payouts.PayoutDebitUndone(debits[-1], reason)
