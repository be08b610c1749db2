"""Periods: closed after their last day, opened again for a reason."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from commands.accounts import OpenAccount
from commands.approvals import GiveApproval
from commands.entries import PostEntry, ReverseEntry
from commands.envelope import Command
from commands.periods import ClosePeriod, Evidence, Finding, ReopenPeriod
from commands.transfers import PostTransfer
from ledger.chart import retained_earnings
from ledger.errors import (
    AdjustmentMisplaced,
    EffectiveDateInFuture,
    InsufficientFunds,
    PeriodChecksFailed,
    PeriodClosed,
    PeriodNotClosed,
    PeriodNotOver,
    Unavailable,
)
from ledger.events import periods as events
from ledger.events.entries import Adjusting, EntryPosted, ReversalPosted
from ledger.journal import Direction, JournalEntry, Posting
from ledger.periods import end_of, last_moment_of, period_of
from tests.commands.given import NOON, Outcome, Story, given

ACCOUNTS = (OpenAccount("a", "A", "asset", "EUR"), OpenAccount("b", "B", "asset", "EUR"))
LAST_MOMENT = datetime(2026, 3, 1, tzinfo=UTC) - timedelta(microseconds=1)


def test_a_period_is_closed_when_its_last_day_is_over() -> None:
    story = given(datetime(2026, 3, 1, tzinfo=UTC))
    story.when(ClosePeriod("2026-02", "month end")).then(events.PeriodClosed("2026-02", "month end")).answered(
        200, period="2026-02", status="closed"
    )


@pytest.mark.parametrize("moment", [LAST_MOMENT, NOON.replace(month=2)])
def test_a_period_that_is_not_over_is_not_closed(moment: datetime) -> None:
    given(moment).when(ClosePeriod("2026-02", "early")).refused(PeriodNotOver, period="2026-02")


def test_a_closed_period_is_not_closed_again_and_an_open_one_not_opened() -> None:
    given(ClosePeriod("2026-02", "month end")).when(ClosePeriod("2026-02", "again")).refused(PeriodClosed)
    given().patiently().when(ReopenPeriod("2026-02", "why")).refused(PeriodNotClosed)


def approved(story: Story, command: Command) -> Outcome:
    """What becomes of the command when somebody else, who may, has agreed to it."""
    asked = msgspec.to_builtins(
        story.patiently().by("key_ann", "ann").when(command, administrator=True).answered(202).receipt(msgspec.Struct)
    )
    return story.by("key_ben", "ben").when(GiveApproval(asked["approval_id"], asked["digest"]), administrator=True)


def test_a_reopened_period_takes_entries_again() -> None:
    story = given(*ACCOUNTS, ClosePeriod("2026-02", "month end"))
    late = PostTransfer("ent_1", "a", "b", 1, "EUR", effective_at=LAST_MOMENT)
    story.when(late).refused(PeriodClosed, period="2026-02")
    approved(story, ReopenPeriod("2026-02", "an invoice")).answered(200, status="executed")
    (last,) = [one.event for one in story.log if isinstance(one.event, events.PeriodReopened)]
    assert last.approval.startswith("apr_")
    story.when(late).answered(201)


@pytest.mark.parametrize(
    ("moment", "period"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01"),
        (datetime(2025, 12, 31, 23, 59, 59, 999_999, UTC), "2025-12"),
        (datetime.fromisoformat("2026-01-01T00:30:00+01:00"), "2025-12"),
    ],
)
def test_periods_are_months_in_utc(moment: datetime, period: str) -> None:
    assert period_of(moment) == period
    assert moment < end_of(period)


@pytest.mark.parametrize(("period", "end"), [("2026-12", (2027, 1)), ("2026-02", (2026, 3))])
def test_a_period_ends_with_the_first_moment_of_the_next(period: str, end: tuple[int, int]) -> None:
    assert end_of(period) == datetime(*end, 1, tzinfo=UTC)


# --- what it is closed by

FEBRUARY = datetime(2026, 2, 10, tzinfo=UTC)
INCOME = (
    OpenAccount("cash", "Cash", "asset", "EUR"),
    OpenAccount("sales", "Sales", "revenue", "EUR"),
    OpenAccount("rent", "Rent", "expense", "EUR"),
    OpenAccount("dollars", "Dollars", "asset", "USD"),
    OpenAccount("sales_us", "Sales", "revenue", "USD"),
)
EARNED, SPENT = "sys:3010:home:eur", "sys:3010:home:usd"


def posted(name: str, debit: str, credit: str, amount: int, currency: str = "EUR", at: datetime = FEBRUARY) -> Command:
    return PostTransfer(name, debit, credit, amount, currency, effective_at=at)


def closing(evidence: Evidence, carry_forward: bool | None = None, override: tuple[str, ...] = ()) -> ClosePeriod:
    return ClosePeriod("2026-02", "month end", carry_forward, override, "ent_close", evidence)


def seen(story: Story, *findings: Finding, totals: dict[str, tuple[int, int]] | None = None) -> Evidence:
    """What the views say of the end of February, with all of the log behind them."""
    sums: dict[str, list[int]] = {}
    income: dict[str, tuple[int, int]] = {}
    for name, account in story.accounts.items():
        sides = sums.setdefault(account.currency, [0, 0])
        sides[0] += account.posted_debits
        sides[1] += account.posted_credits
        if account.kind in ("revenue", "expense"):
            income[name] = (account.posted_debits, account.posted_credits)
    known = totals or {currency: (sides[0], sides[1]) for currency, sides in sums.items() if any(sides)}
    return Evidence(len(story.log), known, income, findings, "note", len(story.log))


def test_the_closing_event_holds_what_the_period_came_to() -> None:
    story = given(*INCOME, posted("ent_1", "cash", "sales", 700), posted("ent_2", "rent", "cash", 200))
    told = story.when(closing(seen(story)))
    told.then(events.PeriodClosed("2026-02", "month end", {"EUR": (900, 900)}, len(story.log) - 1, "note")).answered(
        200, totals={"EUR": [900, 900]}, checkpoint="note", carried=[]
    )


def test_what_was_recorded_since_the_views_were_asked_is_in_the_totals() -> None:
    """What takes effect later is not, and neither is what the views have told of already."""
    story = given(*INCOME, posted("ent_1", "cash", "sales", 700))
    evidence = seen(story)
    story.given(posted("ent_2", "cash", "sales", 30), posted("ent_3", "cash", "sales", 5_000, at=NOON))
    told = story.when(closing(evidence, carry_forward=True)).answered(200, totals={"EUR": [1_460, 1_460]})
    carried = [event for _, event in told.decision.events if isinstance(event, EntryPosted)] if told.decision else []
    assert [event.postings[0].amount for event in carried] == [730]


def test_where_too_much_was_recorded_since_it_is_asked_for_again() -> None:
    story = given(*INCOME)
    evidence = seen(story)
    story.books.load_tail(0, None)
    story.when(closing(msgspec.structs.replace(evidence, position=0))).refused(Unavailable)


def test_revenue_and_expense_are_carried_to_retained_earnings_by_currency() -> None:
    story = given(
        *INCOME,
        posted("ent_1", "cash", "sales", 700),
        posted("ent_2", "rent", "cash", 200),
        posted("ent_3", "sales_us", "dollars", 40, "USD"),
    )
    told = story.when(closing(seen(story), carry_forward=True)).answered(200, carried=["ent_close", "ent_close-2"])
    told.then(
        EntryPosted(
            (
                Posting("rent", Direction.CREDIT, 200, "EUR"),
                Posting("sales", Direction.DEBIT, 700, "EUR"),
                Posting(EARNED, Direction.CREDIT, 500, "EUR"),
            ),
            last_moment_of("2026-02"),
            description="Carry-forward of 2026-02",
            carries="2026-02",
        ),
        EntryPosted(
            (Posting("sales_us", Direction.CREDIT, 40, "USD"), Posting(SPENT, Direction.DEBIT, 40, "USD")),
            last_moment_of("2026-02"),
            description="Carry-forward of 2026-02",
            carries="2026-02",
        ),
        events.PeriodClosed(
            "2026-02",
            "month end",
            {"EUR": (1_600, 1_600), "USD": (80, 80)},
            len(INCOME) + 3,
            "note",
            ("ent_close", "ent_close-2"),
        ),
    )
    assert (story.balance("sales"), story.balance("rent"), story.balance(EARNED)) == (0, 0, 500)
    assert story.balance(retained_earnings("USD")) == -40


def test_many_accounts_are_carried_by_several_entries() -> None:
    accounts = [OpenAccount(f"sales_{n:03}", "Sales", "revenue", "EUR") for n in range(120)]
    sold = [posted(f"ent_{n}", "cash", account.id, n + 1) for n, account in enumerate(accounts)]
    story = given(INCOME[0], *accounts, *sold)
    told = story.when(closing(seen(story), carry_forward=True)).answered(200)
    assert told.decision is not None
    entries = [JournalEntry(event.postings) for _, event in told.decision.events if isinstance(event, EntryPosted)]
    assert [len(entry.postings) for entry in entries] == [100, 22]
    assert {name for name, amount in story.balances().items() if amount} == {"cash", EARNED}


@pytest.mark.parametrize(
    ("period", "wanted", "carries"),
    [("2025-12", None, True), ("2025-11", None, False), ("2025-12", False, False), ("2025-11", True, True)],
)
def test_a_year_is_carried_forward_by_itself_and_a_month_when_it_is_asked_for(
    period: str, wanted: bool | None, carries: bool
) -> None:
    story = given(*INCOME, posted("ent_1", "cash", "sales", 700, at=datetime(2025, 11, 1, tzinfo=UTC)))
    told = story.when(ClosePeriod(period, "", wanted, (), "ent_close", seen(story)))
    told.answered(200, carried=["ent_close"] if carries else [])


def test_a_period_whose_accounts_cannot_be_taken_to_zero_is_not_closed() -> None:
    """Its money has gone since then: it is closed without, or when it is there again."""
    bounded = OpenAccount("sales", "Sales", "revenue", "EUR", min_balance=0)
    story = given(INCOME[0], bounded, posted("ent_1", "cash", "sales", 700))
    evidence = seen(story)
    story.given(posted("ent_2", "sales", "cash", 100, at=NOON))
    story.when(closing(evidence, carry_forward=True)).refused(InsufficientFunds, account="sales")
    story.when(closing(evidence, carry_forward=False)).answered(200)


# --- what keeps it open

BREAKS = Finding("breaks_open", 2, "Breaks.")
UNKNOWN = Finding("payments_unknown", 1, "Payments.")
HOLDS = Finding("holds_active", 1, "Holds.", blocking=False)


def test_all_that_keeps_a_period_open_is_named_in_one_answer() -> None:
    story = given(*INCOME)
    apart = seen(story, BREAKS, UNKNOWN, HOLDS, totals={"EUR": (7, 5)})
    told = story.when(ClosePeriod("2026-03", "early", evidence=apart)).refused(PeriodChecksFailed, period="2026-03")
    assert told.refusal is not None
    codes = ["period_not_over", "trial_balance", "breaks_open", "payments_unknown"]
    assert [error.code for error in told.refusal.errors] == codes
    assert told.refusal.facts["failed"] == codes


def test_what_only_warns_is_told_and_nothing_more() -> None:
    story = given(*INCOME)
    told = story.when(closing(seen(story, HOLDS)))
    told.answered(200, warnings=[msgspec.to_builtins(HOLDS)])


def test_two_people_close_a_period_in_spite_of_what_they_name() -> None:
    story = given(*INCOME).patiently().by("key_ann", "ann")
    evidence = seen(story, BREAKS, UNKNOWN)
    story.when(closing(evidence, override=("breaks_open",))).refused(PeriodChecksFailed, failed=["payments_unknown"])
    told = story.when(closing(evidence, override=("breaks_open", "payments_unknown")), administrator=True)
    asked = msgspec.to_builtins(told.answered(202).receipt(msgspec.Struct))
    agreed = GiveApproval(asked["approval_id"], asked["digest"], evidence)
    # What has come up since then was agreed to by nobody.
    worse = msgspec.structs.replace(evidence, findings=(BREAKS, Finding("files_being_read", 1, "Files.")))
    story.by("key_ben", "ben")
    refused = story.when(msgspec.structs.replace(agreed, evidence=worse), administrator=True)
    refused.refused(PeriodChecksFailed, failed=["files_being_read"])
    story.when(agreed, administrator=True).answered(200, status="executed")
    (closed,) = [one.event for one in story.log if isinstance(one.event, events.PeriodClosed)]
    assert closed.overridden == ("breaks_open", "payments_unknown")
    assert closed.approval == asked["approval_id"]


def test_no_two_people_close_books_that_are_not_balanced() -> None:
    story = given(*INCOME).patiently()
    apart = seen(story, totals={"EUR": (7, 5)})
    story.when(closing(apart, override=("trial_balance",))).refused(PeriodChecksFailed, failed=["trial_balance"])


# --- what takes effect in it all the same

PAIR = (Posting("a", Direction.DEBIT, 5, "EUR"), Posting("b", Direction.CREDIT, 5, "EUR"))
WHY = Adjusting("2026-02", "an invoice came late")


def shut() -> Story:
    return given(*ACCOUNTS, PostTransfer("ent_0", "a", "b", 50, "EUR", FEBRUARY), ClosePeriod("2026-02", "month end"))


@pytest.mark.parametrize(("stated", "takes_effect"), [(None, last_moment_of("2026-02")), (FEBRUARY, FEBRUARY)])
def test_an_adjusting_entry_takes_effect_in_the_closed_period(stated: datetime | None, takes_effect: datetime) -> None:
    story = shut()
    approved(story, PostEntry("ent_1", PAIR, stated, adjusting=WHY)).answered(200)
    (entry,) = story.stream("ent_1")
    assert isinstance(entry.event, EntryPosted)
    assert entry.event.effective_at == takes_effect
    assert entry.event.adjusting is not None
    assert (entry.event.adjusting.period, entry.event.adjusting.reason) == ("2026-02", "an invoice came late")
    assert entry.event.adjusting.approval.startswith("apr_")


def test_an_entry_of_a_closed_period_is_taken_back_in_it_by_two() -> None:
    story = shut()
    approved(story, ReverseEntry("ent_1", "ent_0", "twice", None, "original", WHY)).answered(200)
    (entry,) = story.stream("ent_1")
    assert isinstance(entry.event, ReversalPosted)
    assert (entry.event.effective_at, entry.event.adjusting is None) == (FEBRUARY, False)
    assert story.balances() == {}


@pytest.mark.parametrize(
    ("stated", "adjusting", "kind"),
    [
        (NOON, WHY, AdjustmentMisplaced),
        (None, Adjusting("2026-01", "it is open"), PeriodNotClosed),
        (NOON + timedelta(days=1), WHY, EffectiveDateInFuture),
        (FEBRUARY, None, PeriodClosed),
    ],
)
def test_what_is_no_adjusting_entry_is_not_even_asked_for(
    stated: datetime | None, adjusting: Adjusting | None, kind: type[Exception]
) -> None:
    told = shut().patiently().when(PostEntry("ent_1", PAIR, stated, adjusting=adjusting))
    assert type(told.refusal) is kind


def test_a_reason_that_is_stated_is_no_approval() -> None:
    """Whoever writes the approval's name into the entry themselves has it overwritten with the true one."""
    story = shut()
    forged = Adjusting("2026-02", "an invoice came late", "apr_forged")
    approved(story, PostEntry("ent_1", PAIR, adjusting=forged)).answered(200)
    (entry,) = story.stream("ent_1")
    assert isinstance(entry.event, EntryPosted)
    assert entry.event.adjusting is not None
    assert entry.event.adjusting.approval != "apr_forged"
