"""Periods: closed after their last day with what they came to, and opened again by two people.

Whoever closes brings evidence: the turnover at the end of the period as views have it, what speaks against closing,
and a signed checkpoint of the log. What was recorded since then is added here, so that the totals are exact.
"""

from collections.abc import Iterator

import msgspec

from commands.books import Books
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from commands.system_accounts import StreamEvents, with_accounts
from ledger.accounts import Kind
from ledger.chart import retained_earnings
from ledger.errors import FieldError, PeriodChecksFailed, PeriodClosed, PeriodNotClosed, PeriodNotOver
from ledger.events import periods as events
from ledger.events.entries import EntryPosted
from ledger.events.periods import period_stream
from ledger.journal import MOST_POSTINGS, Direction, Posting
from ledger.periods import end_of, last_moment_of
from ledger.posting_rules import effective_at, entry_for

_INCOME = (Kind.REVENUE, Kind.EXPENSE)
_LAST_MONTH_OF_A_YEAR = "-12"
TRIAL_BALANCE = "trial_balance"

Totals = dict[str, tuple[int, int]]


class Finding(msgspec.Struct, frozen=True):
    """What a look at the books found before a period is closed.

    `blocking`: it is closed in spite of that only by name and by two people; others are told and nothing more.
    """

    check: str
    count: int
    detail: str
    blocking: bool = True


class Evidence(msgspec.Struct, frozen=True):
    """What closing goes by: debits and credits of what took effect before the period's end, as known at `position`.

    `totals`: of all accounts by currency; `income`: of each account of revenue and expense.
    """

    position: int
    totals: Totals
    income: Totals
    findings: tuple[Finding, ...] = ()
    checkpoint: str = ""
    checkpoint_size: int = 0


class ClosePeriod(Command, frozen=True):
    """Let nothing take effect in this period (`2026-03`) any more.

    `carry_forward`: take revenue and expense to retained earnings, None: at the end of a year. `entry` is a fresh id
    for the entry that does. `override`: checks that it is closed in spite of; a second person has to agree to that.
    """

    period: str
    reason: str
    carry_forward: bool | None = None
    override: tuple[str, ...] = ()
    entry: str = ""
    evidence: Evidence | None = None


class ReopenPeriod(Command, frozen=True):
    """Let entries take effect in this period again. A second person has to agree."""

    period: str
    reason: str


class PeriodReceipt(Receipt):
    """The period as it is after the command. `warnings` speak against closing it, and it is closed all the same."""

    period: str = ""
    status: str = ""
    totals: Totals = {}
    checkpoint_size: int = 0
    checkpoint: str = ""
    carried: tuple[str, ...] = ()
    warnings: tuple[Finding, ...] = ()


def close(books: Books, command: ClosePeriod, envelope: Envelope) -> Decision:
    period, evidence = command.period, command.evidence or Evidence(books.position, {}, {})
    if period in books.closed_periods:
        raise PeriodClosed(period=period)
    totals, income = _until_now(books, period, evidence)
    _check(books, command, evidence.findings, totals)
    carries = period.endswith(_LAST_MONTH_OF_A_YEAR) if command.carry_forward is None else command.carry_forward
    carried = list(_carried(books, command, income)) if carries else []
    for _, entry in carried:
        for posting in entry.postings:
            _add(totals, posting.currency, posting)
    closed = events.PeriodClosed(
        period,
        command.reason,
        dict(sorted(totals.items())),
        evidence.checkpoint_size,
        evidence.checkpoint,
        tuple(name for name, _ in carried),
        command.override,
        envelope.approval,
    )
    receipt = PeriodReceipt(
        period=period,
        status="closed",
        totals=closed.totals,
        checkpoint_size=closed.checkpoint_size,
        checkpoint=closed.checkpoint,
        carried=closed.carried,
        warnings=evidence.findings,
    )
    decided: StreamEvents = [*carried, (period_stream(period), closed)]
    return Decision(with_accounts(books, decided), receipt, status=200)


def _check(books: Books, command: ClosePeriod, findings: tuple[Finding, ...], totals: Totals) -> None:
    """Raise everything at once that keeps the period from being closed."""
    failed = [finding for finding in findings if finding.blocking and finding.check not in command.override]
    apart = {currency: debits - credits_ for currency, (debits, credits_) in totals.items() if debits != credits_}
    if apart:
        words = ", ".join(f"{currency} by {difference}" for currency, difference in sorted(apart.items()))
        failed.insert(0, Finding(TRIAL_BALANCE, len(apart), f"Debits and credits differ: {words} minor units."))
    not_over = end_of(command.period) > books.now
    if not failed:
        if not_over:
            raise PeriodNotOver(period=command.period)
        return
    errors = tuple(FieldError("/period", finding.check, f"{finding.detail} ({finding.count})") for finding in failed)
    if not_over:
        errors = (FieldError("/period", PeriodNotOver.code(), PeriodNotOver.title()), *errors)
    raise PeriodChecksFailed(errors=errors, period=command.period, failed=[error.code for error in errors])


def _until_now(books: Books, period: str, evidence: Evidence) -> tuple[Totals, Totals]:
    """The totals and the income of what took effect before the period's end and is recorded by now."""
    totals, income = dict(evidence.totals), dict(evidence.income)
    for recorded in books.recorded_behind(evidence.position):
        entry = entry_for(recorded.event)
        if entry is None or effective_at(recorded.event, recorded.recorded_at) >= end_of(period):
            continue
        for posting in entry.postings:
            _add(totals, posting.currency, posting)
            if books.account(posting.account).kind in _INCOME:
                _add(income, posting.account, posting)
    return totals, income


def _add(sums: Totals, name: str, posting: Posting) -> None:
    debits, credits_ = sums.get(name, (0, 0))
    is_debit = posting.direction == Direction.DEBIT
    sums[name] = (debits + posting.amount, credits_) if is_debit else (debits, credits_ + posting.amount)


def _carried(books: Books, command: ClosePeriod, income: Totals) -> Iterator[tuple[str, EntryPosted]]:
    """The entries that take each account of revenue and expense to zero at the period's last moment, by currency."""
    left: dict[str, list[tuple[str, int]]] = {}
    for account, (debits, credits_) in sorted(income.items()):
        if debits != credits_:
            left.setdefault(books.account(account).currency, []).append((account, debits - credits_))
    number = 0
    for currency, accounts in sorted(left.items()):
        # One posting of each entry is that of the other side.
        for begin in range(0, len(accounts), MOST_POSTINGS - 1):
            part = accounts[begin : begin + MOST_POSTINGS - 1]
            rest = sum(difference for _, difference in part)
            postings = [_posting(account, -difference, currency) for account, difference in part]
            if rest:
                postings.append(_posting(retained_earnings(currency), rest, currency))
            number += 1
            name = command.entry if number == 1 else f"{command.entry}-{number}"
            words = f"Carry-forward of {command.period}"
            moment = last_moment_of(command.period)
            yield name, EntryPosted(tuple(postings), moment, description=words, carries=command.period)


def _posting(account: str, signed: int, currency: str) -> Posting:
    """A debit of this amount, or where it is negative a credit."""
    return Posting(account, Direction.DEBIT if signed > 0 else Direction.CREDIT, abs(signed), currency)


def reopen(books: Books, command: ReopenPeriod, envelope: Envelope) -> Decision:
    if command.period not in books.closed_periods:
        raise PeriodNotClosed(period=command.period)
    reopened = events.PeriodReopened(command.period, command.reason, envelope.approval)
    return Decision(
        [(period_stream(command.period), reopened)], PeriodReceipt(period=command.period, status="open"), status=200
    )


def _close_needs(command: ClosePeriod) -> Needs:
    accounts = () if command.evidence is None else tuple(command.evidence.income)
    return Needs(accounts=accounts, streams=(period_stream(command.period),))


DECIDERS: dict[type[Command], Decider] = {
    ClosePeriod: Decider(close, _close_needs),
    ReopenPeriod: Decider(reopen, lambda command: Needs(streams=(period_stream(command.period),))),
}
