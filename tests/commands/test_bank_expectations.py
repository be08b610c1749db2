"""Bank expectations: what the statements of our banks are to show is what the books have on its way."""

from random import Random

from hypothesis import HealthCheck, settings
from hypothesis import given as sampled
from hypothesis import strategies as st
from msgspec.structs import replace

from commands.bank_line_clearings import ByEntry, ByPayoutReturn, ByPayouts, ByRefund
from commands.bank_lines import SuspendBankLine, UndoBankLine
from commands.returned_refunds import ResolveRefund
from commands.treasury import SweepFees
from ledger.bank_expectations import BankExpectation, after
from ledger.chart import Code, code_of
from ledger.events.payouts import PayoutCanceled, PayoutCreated
from tests.commands.dispute_stories import returned
from tests.commands.given import Happening, Story, given
from tests.commands.payout_stories import (
    DECLINED,
    FUNDED,
    agency,
    at_the_bank,
    paid_out,
    payout,
    said,
    said_by_float,
    sent_back,
    withdrawal,
)
from tests.commands.settlement_stories import bank_line, by_batch, cleared, settled
from tests.commands.stories import PAID_BY_CARD, refund, refund_result, refunded
from tests.commands.test_settlement_laws import tell

BOUNCED = (*PAID_BY_CARD, refund(1_000), refund_result(1, refunded(1_000)), refund_result(1, returned(1_000)))
PAID_OUT = (*FUNDED, payout(), said(paid_out()))


def all_of(story: Story) -> dict[str, BankExpectation]:
    found: dict[str, BankExpectation] = {}
    for recorded in story.log:
        found |= after(found, recorded)
    return found


def open_of(story: Story, kind: str) -> list[BankExpectation]:
    return [one for one in all_of(story).values() if one.kind == kind and one.status == "open" and one.amount]


def sums(*happenings: Happening, kind: str = "payout") -> list[tuple[str, int]]:
    return [(one.subject, one.amount) for one in open_of(given(*happenings), kind)]


# --- batches ----------------------------------------------------------------------------------------------------------


def test_a_batch_is_expected_with_what_stands_in_it_until_it_is_paid() -> None:
    story = settled(given(*PAID_BY_CARD))
    (batch,) = open_of(story, "batch")
    assert (batch.subject, batch.amount, batch.currency, batch.channel) == (
        "2026-03-15",
        5_964,
        "EUR",
        "card_simulator",
    )
    story.given(cleared(5_964, by_batch()))
    assert open_of(story, "batch") == []
    assert all_of(story)[batch.id].bank_line == bank_line(0).stream
    story.given(UndoBankLine("main", "stmt-1/1"))
    assert open_of(story, "batch") == [batch]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@sampled(st.randoms(use_true_random=False), st.integers(1, 50))
def test_what_batches_are_expected_with_is_what_stands_on_their_accounts(chance: Random, steps: int) -> None:
    story = tell(chance, steps)
    there = {name: one.balance for name, one in story.accounts.items() if _is(name, Code.CHANNEL_SETTLEMENT_PENDING)}
    assert sorted(one.amount for one in open_of(story, "batch")) == sorted(filter(None, there.values()))
    owed_again = sum(one.amount for one in open_of(story, "refund"))
    assert -owed_again <= sum(one.balance for name, one in story.accounts.items() if _is(name, Code.REFUND_IN_TRANSIT))


def _is(account: str, code: Code) -> bool:
    return account.startswith("sys:") and code_of(account) is code


# --- payouts ----------------------------------------------------------------------------------------------------------


def test_a_payout_is_expected_while_it_is_in_transit() -> None:
    assert sums(*FUNDED, payout(), withdrawal("po_2")) == [("po_1", -6_000), ("po_2", -2_000)]
    (one,) = open_of(given(*PAID_OUT), "payout")
    assert one.references == ("po_1", "out_1")
    assert sums(*FUNDED, payout(), said(DECLINED)) == []
    assert sums(*PAID_OUT, at_the_bank()) == []
    assert sums(*PAID_OUT, cleared(-6_000, ByPayouts(("po_1",)))) == []
    assert sums(*PAID_OUT, cleared(-6_000, ByPayouts(("po_1",))), UndoBankLine("main", "stmt-1/1")) == [
        ("po_1", -6_000)
    ]
    assert sums(*PAID_OUT, said(sent_back())) == []


def test_a_payout_out_of_a_float_is_never_expected() -> None:
    assert all_of(given(*FUNDED, agency())).keys() == all_of(given(*FUNDED)).keys()
    assert sums(*FUNDED, agency(), said_by_float(paid_out())) == []


def test_a_payout_that_waits_for_somebody_is_not_expected_yet() -> None:
    story = given(*FUNDED, payout())
    created = next(one for one in story.stream("po_1") if isinstance(one.event, PayoutCreated))
    waiting = after({}, created)
    assert waiting["po_1"].status == "announced"
    canceled = replace(created, event=PayoutCanceled("po_1"))
    assert after(waiting, canceled)["po_1"].status == "closed"


# --- refunds ----------------------------------------------------------------------------------------------------------


def test_a_refund_that_came_back_may_be_paid_by_the_bank() -> None:
    assert sums(*BOUNCED, kind="refund") == [("ref_1-1", -1_000)]
    assert sums(*BOUNCED, cleared(-1_000, ByRefund("ref_1-1")), kind="refund") == []
    assert sums(*BOUNCED, ResolveRefund("ref_1-1", "return_to_merchant"), kind="refund") == []


# --- entries ----------------------------------------------------------------------------------------------------------


def test_what_was_told_by_hand_is_expected_until_it_is_seen() -> None:
    assert sums(*FUNDED, kind="entry") == [("fnd_1.1", 20_000), ("flt_1.1", -20_000)]
    (funding, _) = open_of(given(*FUNDED), "entry")
    assert (funding.bank_account, funding.own, funding.references[0]) == ("main", False, "fnd_1")
    assert sums(*FUNDED, cleared(20_000, ByEntry("fnd_1.1")), kind="entry") == [("flt_1.1", -20_000)]
    undone = (cleared(20_000, ByEntry("fnd_1.1")), UndoBankLine("main", "stmt-1/1"))
    assert len(sums(*FUNDED, *undone, kind="entry")) == 2


def test_a_sweep_is_seen_at_both_of_its_accounts() -> None:
    story = given(*BOUNCED, SweepFees("swp_1", 10, "EUR", "main", ("sys:4010:quick_pay:eur",)))
    assert [(one.subject, one.amount, one.own) for one in open_of(story, "entry")] == [
        ("swp_1.1", 10, True),
        ("swp_1.1", -10, False),
    ]
    story.given(cleared(10, ByEntry("swp_1.1"), "own/1", own=True), cleared(-10, ByEntry("swp_1.1")))
    assert open_of(story, "entry") == []


def test_what_lines_post_themselves_is_not_expected() -> None:
    story = given(
        *PAID_OUT,
        cleared(-6_000, ByPayouts(("po_1",))),
        cleared(6_000, ByPayoutReturn("po_1"), "stmt-2/1"),
        SuspendBankLine(bank_line(5, "stmt-3/1")),
    )
    assert {one.subject for one in open_of(story, "entry")} == {"fnd_1.1", "flt_1.1"}


def test_a_return_that_the_channel_told_of_first_is_expected_at_the_bank() -> None:
    story = given(*PAID_OUT, cleared(-6_000, ByPayouts(("po_1",))), said(sent_back()))
    (back,) = [one for one in open_of(story, "entry") if one.subject.startswith("po_1")]
    assert (back.amount, back.references) == (6_000, ("po_1", "back_1"))
    story.given(cleared(6_000, ByEntry(back.subject), "stmt-2/1"))
    assert len(open_of(story, "entry")) == 2
