"""Payout posting tables: rows A11, A12, A15, B1 and B2 on released funds, D1 to D4, E1 to E6, F2, F6 and F7."""

import pytest

from commands.envelope import Command
from commands.funds import ReleaseFunds
from commands.merchants import CreateMerchant
from commands.shares import ReturnShare, SharePayment
from commands.treasury import SweepFees
from commands.wallets import FreezeWallet, ReleaseFreeze, TransferToWallet
from ledger.events.event import Event
from ledger.events.merchants import FeeTerms, SettlementTerms
from ledger.events.payouts import PayoutPaid
from ledger.posting_rules import entry_for
from tests.commands.given import given, postings_of
from tests.commands.payout_stories import (
    DECLINED,
    FUNDED,
    PARTIES,
    agency,
    at_the_bank,
    paid_out,
    payout,
    said,
    said_by_float,
    sent_back,
    withdrawal,
)
from tests.commands.stories import from_wallet, refund, topped_up

Row = tuple[tuple[Command, ...], list[set[tuple[str, str, int]]]]

# A merchant of whose sales a tenth is kept in reserve.
SOLD: tuple[Command, ...] = (
    CreateMerchant("acme", "Acme", FeeTerms(0, 0), "EUR", settlement=SettlementTerms(reserve_bps=1_000)),
    *PARTIES[1:],
    *topped_up(10_000),
    from_wallet("pay_1", 10_000),
)
LATER = 1_000_000  # a position that no story reaches

ROWS: dict[str, Row] = {
    "A11: funds become available, and a reserve is kept": (
        (*SOLD, ReleaseFunds("acme", "EUR", 10_000, 0, LATER)),
        [{("sys:2110:acme:eur", "D", 10_000), ("sys:2120:acme:eur", "C", 9_000), ("sys:2130:acme:eur", "C", 1_000)}],
    ),
    "A11: the reserve is released": (
        (*SOLD, ReleaseFunds("acme", "EUR", 10_000, 0, LATER), ReleaseFunds("acme", "EUR", 0, 1_000, LATER)),
        [{("sys:2130:acme:eur", "D", 1_000), ("sys:2120:acme:eur", "C", 1_000)}],
    ),
    "A15: a share of a payment": (
        (*SOLD, SharePayment("pay_1", "beta", 3_000)),
        [{("sys:2110:acme:eur", "D", 3_000), ("sys:2110:beta:eur", "C", 3_000)}],
    ),
    "A15: a share is returned": (
        (*SOLD, SharePayment("pay_1", "beta", 3_000), ReturnShare("pay_1", "shr_1-1", 1_000)),
        [{("sys:2110:beta:eur", "D", 1_000), ("sys:2110:acme:eur", "C", 1_000)}],
    ),
    "A12: earned fees are swept": (
        (*FUNDED, payout(), SweepFees("swp_1", 50, "EUR", "main", ("sys:4010:payout:eur",))),
        [{("sys:1010:main:eur", "D", 50), ("sys:1020:main:eur", "C", 50)}],
    ),
    "B1 from what is available": (
        (*FUNDED, refund(4_000, "pay_0")),
        [{("sys:2120:acme:eur", "D", 4_000), ("sys:2010:ann:eur", "C", 4_000)}],
    ),
    "B2 once pending and available are used up": (
        (*FUNDED, from_wallet("pay_2", 1_000), payout("po_2", 8_000), refund(4_000, "pay_0")),
        [
            {
                ("sys:2110:acme:eur", "D", 1_000),
                ("sys:2120:acme:eur", "D", 1_950),
                ("sys:1210:acme:eur", "D", 1_050),
                ("sys:2010:ann:eur", "C", 4_000),
            }
        ],
    ),
    "B2's recovery from later sales": (
        (
            *FUNDED,
            payout("po_2", 9_950),
            refund(1_000, "pay_0"),
            from_wallet("pay_2", 3_000),
            ReleaseFunds("acme", "EUR", 3_000, 0, LATER),
        ),
        [{("sys:2110:acme:eur", "D", 3_000), ("sys:1210:acme:eur", "C", 1_000), ("sys:2120:acme:eur", "C", 2_000)}],
    ),
    "D1: a payout was requested": (
        (*FUNDED, payout()),
        [
            {
                ("sys:2120:acme:eur", "D", 6_050),
                ("sys:2220:acme:eur", "C", 6_000),
                ("sys:4010:payout:eur", "C", 50),
            }
        ],
    ),
    "the provider's word alone changes the state, not the books": ((*FUNDED, payout(), said(paid_out())), [set()]),
    "D2: the bank's debit line was found": (
        (*FUNDED, payout(), said(paid_out()), at_the_bank()),
        [{("sys:2220:acme:eur", "D", 6_000), ("sys:1020:main:eur", "C", 6_000)}],
    ),
    "D3: a payout was refused": (
        (*FUNDED, payout(), said(DECLINED)),
        [
            {
                ("sys:2220:acme:eur", "D", 6_000),
                ("sys:4010:payout:eur", "D", 50),
                ("sys:2120:acme:eur", "C", 6_050),
            }
        ],
    ),
    "D4: a payout was returned after the debit": (
        (*FUNDED, payout(), said(paid_out()), at_the_bank(), said(sent_back())),
        [
            {("sys:1020:main:eur", "D", 6_000), ("sys:2220:acme:eur", "C", 6_000)},
            {("sys:2220:acme:eur", "D", 6_000), ("sys:2120:acme:eur", "C", 6_000)},
        ],
    ),
    "D4 before the bank's statement showed anything": (
        (*FUNDED, payout(), said(paid_out()), said(sent_back())),
        [set(), {("sys:2220:acme:eur", "D", 6_000), ("sys:2120:acme:eur", "C", 6_000)}],
    ),
    "E1: a principal puts money in": (
        FUNDED[:-1],
        [{("sys:1020:main:eur", "D", 20_000), ("sys:2235:payroll:eur", "C", 20_000)}],
    ),
    "E2: the float is fed": (
        FUNDED,
        [{("sys:1140:card_simulator_b:eur", "D", 20_000), ("sys:1020:main:eur", "C", 20_000)}],
    ),
    "E3: an instruction was accepted": (
        (*FUNDED, agency()),
        [
            {
                ("sys:2235:payroll:eur", "D", 6_030),
                ("sys:2230:payroll:eur", "C", 6_000),
                ("sys:4010:agency_pay:eur", "C", 30),
            }
        ],
    ),
    "E4: the channel says paid": (
        (*FUNDED, agency(), said_by_float(paid_out())),
        [
            {
                ("sys:2230:payroll:eur", "D", 6_000),
                ("sys:5010:card_simulator_b:eur", "D", 20),
                ("sys:1140:card_simulator_b:eur", "C", 6_000),
                ("sys:1140:card_simulator_b:eur", "C", 20),
            }
        ],
    ),
    "E5: the channel says failed": (
        (*FUNDED, agency(), said_by_float(DECLINED)),
        [
            {
                ("sys:2230:payroll:eur", "D", 6_000),
                ("sys:4010:agency_pay:eur", "D", 30),
                ("sys:2235:payroll:eur", "C", 6_030),
            }
        ],
    ),
    "E6: returned after success": (
        (*FUNDED, agency(), said_by_float(paid_out()), said_by_float(sent_back())),
        [
            {("sys:1140:card_simulator_b:eur", "D", 6_000), ("sys:2230:payroll:eur", "C", 6_000)},
            {("sys:2230:payroll:eur", "D", 6_000), ("sys:2235:payroll:eur", "C", 6_000)},
        ],
    ),
    "paid out of the float although it was given back": (
        (*FUNDED, agency(), said_by_float(DECLINED), said_by_float(paid_out())),
        [{("sys:1910:card_simulator_b:eur", "D", 6_000), ("sys:1140:card_simulator_b:eur", "C", 6_000)}],
    ),
    "returned to the float although it was given back": (
        (*FUNDED, agency(), said_by_float(DECLINED), said_by_float(sent_back())),
        [{("sys:1140:card_simulator_b:eur", "D", 6_000), ("sys:2310:card_simulator_b:eur", "C", 6_000)}],
    ),
    "F2: frozen": (
        (*FUNDED, FreezeWallet("frz_1", "ann", 1_000, "EUR", "a check")),
        [{("sys:2010:ann:eur", "D", 1_000), ("sys:2020:ann:eur", "C", 1_000)}],
    ),
    "F2: unfrozen": (
        (*FUNDED, FreezeWallet("frz_1", "ann", 1_000, "EUR", "a check"), ReleaseFreeze("frz_1", "ann", "EUR")),
        [{("sys:2020:ann:eur", "D", 1_000), ("sys:2010:ann:eur", "C", 1_000)}],
    ),
    "F6: a withdrawal was requested": (
        (*FUNDED, withdrawal()),
        [{("sys:2010:ann:eur", "D", 2_000), ("sys:2220:wallet:ann:eur", "C", 2_000)}],
    ),
    "F6: a withdrawal was refused": (
        (*FUNDED, withdrawal(), said(DECLINED)),
        [{("sys:2220:wallet:ann:eur", "D", 2_000), ("sys:2010:ann:eur", "C", 2_000)}],
    ),
    "F6: the bank's debit line was found": (
        (*FUNDED, withdrawal(), said(paid_out(2_000)), at_the_bank()),
        [{("sys:2220:wallet:ann:eur", "D", 2_000), ("sys:1020:main:eur", "C", 2_000)}],
    ),
    "F7: a transfer between customers": (
        (*FUNDED, TransferToWallet("wtr_1", "ann", "bob", 500, "EUR")),
        [{("sys:2010:ann:eur", "D", 500), ("sys:2010:bob:eur", "C", 500)}],
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_the_last_events_of_the_story_post_this(row: str) -> None:
    commands, postings = ROWS[row]
    story = given(*commands)
    assert [postings_of(recorded.event) for recorded in story.log[-len(postings) :]] == postings
    accounts = story.accounts.values()
    assert sum(account.posted_debits - account.posted_credits for account in accounts) == 0


def test_d2_at_a_prefunded_provider_is_taken_from_the_float() -> None:
    event: Event = PayoutPaid("po_1", "merchant", "acme", "card_simulator_b", "out_1", 6_000, "EUR", prefunded=True)
    assert entry_for(event) is not None
    assert postings_of(event) == {
        ("sys:2220:acme:eur", "D", 6_000),
        ("sys:1140:card_simulator_b:eur", "C", 6_000),
    }


# A row that a reversal undoes leaves every balance as it was (invariant 8).
UNDONE: dict[str, tuple[tuple[Command, ...], tuple[Command, ...]]] = {
    "D1 and D3": (FUNDED, (payout(), said(DECLINED))),
    "E3 and E5": (FUNDED, (agency(), said_by_float(DECLINED))),
    "F6": (FUNDED, (withdrawal(), said(DECLINED))),
    "F2": (FUNDED, (FreezeWallet("frz_1", "ann", 1_000, "EUR", "a check"), ReleaseFreeze("frz_1", "ann", "EUR"))),
    "A15": (SOLD, (SharePayment("pay_1", "beta", 3_000), ReturnShare("pay_1", "shr_1-1"))),
}


@pytest.mark.parametrize("rows", UNDONE)
def test_what_is_undone_leaves_every_balance_as_it_was(rows: str) -> None:
    before, undone = UNDONE[rows]
    story = given(*before)
    balances = story.balances()
    assert story.given(*undone).balances() == balances
