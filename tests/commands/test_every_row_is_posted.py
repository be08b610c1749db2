"""Every row of the table of events is posted exactly so, by an event that exists; none is forgotten.

A case is one or more rows, the events that they are about, and what their symbols stand for, in minor units.
"""

from collections import Counter
from typing import Any

import pytest
from msgspec.structs import replace

from ledger.dispute import DisputeShare
from ledger.events.authorizations import (
    AuthorizationIncremented,
    AuthorizationReleased,
    PaymentAuthorized,
    PaymentCapturedFromWallet,
)
from ledger.events.bank_lines import BankLine, BankLineCleared, BankLineSuspended, BatchShare
from ledger.events.coins import CoinsSold, NetworkFeePaid, PaymentCoinsSeen, PaymentCoinsUnapplied, PaymentPaidInCoins
from ledger.events.credit_lines import CreditImpaired, CreditInterestCharged, CreditRepaid, CreditWrittenOff
from ledger.events.disputes import DisputeFundsReturned, DisputeFundsTaken, DisputeLost, DisputeMoved
from ledger.events.event import Event
from ledger.events.funds import FundsReleased
from ledger.events.fx import FxRealized, FxSettled
from ledger.events.merchant_losses import MerchantDebtWrittenOff
from ledger.events.merchants import FeeTerms
from ledger.events.payments import (
    Exchange,
    Method,
    PaymentAttemptDeclined,
    PaymentAttemptInitiated,
    PaymentAttemptUnanswered,
    PaymentCaptured,
    PaymentCreated,
    PaymentPaidFromWallet,
    PaymentPaidOnCredit,
    PaymentReceiptUnapplied,
    PaymentWalletFrozen,
)
from ledger.events.payouts import (
    Destination,
    PayoutDebited,
    PayoutGivenBack,
    PayoutPaid,
    PayoutRejected,
    PayoutReserved,
    PayoutReturned,
)
from ledger.events.principals import PrincipalFunded
from ledger.events.receipts import ReceiptReturnRequested
from ledger.events.refunds import (
    FeeBack,
    RefundFailed,
    RefundPaidByBank,
    RefundPaidToCredit,
    RefundPaidToWallet,
    RefundRequested,
    RefundReturned,
    RefundSucceeded,
)
from ledger.events.settlements import BatchRowSettled, FractionRounded, LineSettled, RowPlace
from ledger.events.shares import PaymentShared
from ledger.events.top_ups import TopUpSucceeded
from ledger.events.treasury import FeesSwept, FloatFed
from ledger.events.voids import PaymentRevoked
from ledger.events.wallets import WalletFrozen, WalletTransferred
from ledger.posting_rules import entry_for
from tests.commands.event_table import ALL_ROWS, ELSEWHERE, EVENT_TABLE, postings_of_row
from tests.commands.given import NOON

Case = tuple[str, tuple[Event, ...], dict[str, int]]

PAY = ("pay_1-1", "card", "ch_1", "shop", "quick_pay")
BANK = Destination("bank_account", "DE89370400440532013000")
OUT = ("po_1", "merchant", "shop")
AGENCY = ("po_1", "principal", "payroll")
USD = Exchange(12_500, "USD", "1.25", "treasury", NOON, NOON)
SALE = {"G": 6_000, "M": 130, "T": 26, "F": 36}
DISPUTE = ("dis_1", "shop", "card", "dispute", 6_000, "EUR")
RELEASED = DisputeShare(6_000, from_available=6_000)
ORDER = PaymentCreated("pay_1", "shop", None, 6_000, "EUR", "quick_pay", Method("card"), "order-1", 130)


def took(
    amount: int = 6_000,
    fee: int = 130,
    channel_fee: int = 0,
    *,
    tax: int = 0,
    invoiced: bool = False,
    subsidy: int = 0,
    fee_payable: bool = False,
) -> PaymentCaptured:
    sale = PaymentCaptured(*PAY, amount, "EUR", fee, channel_fee)
    return replace(sale, tax=tax, invoiced=invoiced, subsidy=subsidy, fee_payable=fee_payable)


def revoked(void: str) -> PaymentRevoked:
    return PaymentRevoked(void, "pay_1-1", "shop", "quick_pay", "card", 6_000, "EUR", 130, 36, "ent_1", tax=26)


def refund(amount: int = 6_000, short: int = 0) -> RefundRequested:
    """Of what was released to the merchant already."""
    asked = ("ref_1-1", "pay_1", "shop", "card", "pay_1-1", "ch_1", amount, "EUR", short, "returned")
    return RefundRequested(*asked, from_available=amount - short)


REPORTED = {"G": 6_000, "F": 36, "Fa": 40}


def reported(
    kind: str = "sale",
    gross: int = 6_000,
    fee: int = 36,
    reported_gross: int = 6_000,
    reported_fee: int = 36,
    **more: Any,
) -> LineSettled:
    place = ("pay_1.7", kind, "card", "EUR", "b_1")
    return LineSettled(*place, gross, fee, reported_gross, reported_fee, RowPlace("file_1", 1), **more)


def of_batch(purpose: str, amount: int) -> BatchRowSettled:
    return BatchRowSettled(purpose, "card", "EUR", "b_1", amount, RowPlace("file_1", 2))


def at_bank(amount: int) -> BankLine:
    return BankLine("main", "stmt-1/1", amount, "EUR", RowPlace("file_2", 1))


CASES: tuple[Case, ...] = (
    ("A1", (ORDER,), {}),
    ("A1", (PaymentAttemptInitiated("pay_1-1", "card", 6_000, "EUR", None, "shop", "order-1"),), {}),
    ("A1", (PaymentAttemptDeclined("pay_1-1", "insufficient_funds"),), {}),
    ("A1", (PaymentAttemptUnanswered("pay_1-1", "ReadTimeout"),), {}),
    ("A2", (PaymentAuthorized("pay_1-1", "card", "au_1", 6_000, "EUR", FeeTerms(0, 0)),), {"A": 6_000}),
    ("A3", (AuthorizationIncremented("inc_1-1", "card", 2_000, "EUR"),), {"A": 2_000}),
    ("A4", (AuthorizationReleased("card", 2_000, "EUR"),), {"A": 2_000}),
    ("A5", (took(tax=26),), SALE),
    ("A5 A6", (took(tax=26, channel_fee=36),), SALE),
    ("A5 A6b", (took(tax=26, channel_fee=36, fee_payable=True),), SALE),
    ("A11", (FundsReleased("shop", 6_000, "EUR", reserve=600),), {"N": 5_400, "r": 600}),
    ("A12", (FeesSwept("swp_1", 100, "EUR", "main"),), {"x": 100}),
    # Of a sale whose fee is invoiced, and of one that we paid a part of, the rest is A5 without a fee.
    ("A5 A13", (took(tax=26, invoiced=True),), {"G": 6_000, "M": 130, "T": 26}),
    ("A14", (took(5_500, fee=0, subsidy=500),), {"G": 6_000, "Disc": 500}),
    ("A15", (PaymentShared("shr_1-1", "pay_1", "shop", "other", 1_000, "EUR"),), {"x": 1_000}),
    ("B1", (refund(),), {"R": 6_000}),
    ("B2", (refund(6_000, short=130),), {"R": 6_000, "x": 130}),
    ("B3", (RefundSucceeded("ref_1-1", "shop", "card", "re_1", 6_000, "EUR"),), {"R": 6_000}),
    ("B5", (RefundFailed("ref_1-1", "shop", 6_000, "EUR", 0, "declined", from_available=6_000),), {"R": 6_000}),
    ("B6", (RefundReturned("ref_1-1", "shop", "card", "re_1", 6_000, "EUR", "closed"),), {"R": 6_000}),
    ("B7", (RefundPaidByBank("ref_1-1", "shop", "main", 6_000, "EUR"),), {"R": 6_000}),
    (
        "B3 B8 B9",
        (
            RefundSucceeded(
                *("ref_1-1", "shop", "card", "re_1", 6_000, "EUR"),
                product="quick_pay",
                channel_fee_back=36,
                returned=FeeBack(130, "EUR", to_available=130),
            ),
        ),
        {"R": 6_000, "Mr": 130, "Fr": 36},
    ),
    ("B10", (revoked("void_1-1"),), SALE),
    (
        "C1",
        (DisputeMoved("dis_1", "pay_1", "pay_1-1", "shop", "card", "ch", "pre_dispute", "opened", 6_000, "EUR"),),
        {},
    ),
    (
        "C2",
        (
            DisputeMoved(
                "dis_1", "pay_1", "pay_1-1", "shop", "card", "ch", "dispute", "opened", 6_000, "EUR", channel_fee=1_500
            ),
            DisputeFundsTaken(*DISPUTE, RELEASED, fee=2_000, fee_from_available=2_000),
        ),
        {"C": 6_000, "cf": 1_500, "df": 2_000},
    ),
    ("C3", (DisputeFundsReturned(*DISPUTE, RELEASED),), {"C": 6_000}),
    ("C4", (DisputeLost(*DISPUTE, RELEASED, "merchant"),), {"C": 6_000}),
    ("C5", (DisputeLost(*DISPUTE, RELEASED, "platform"),), {"C": 6_000}),
    ("C6", (DisputeFundsTaken(*DISPUTE, RELEASED),), {"C": 6_000}),
    ("C7", (MerchantDebtWrittenOff(1, "shop", 130, "EUR", "maker", "checker"),), {"x": 130}),
    ("D1", (PayoutReserved(*OUT, "bank", 6_000, "EUR", 50, BANK),), {"P": 6_000, "pf": 50}),
    ("D2", (PayoutDebited(*OUT, "main", 6_000, "EUR"),), {"P": 6_000}),
    ("D3", (PayoutRejected(*OUT, 6_000, "EUR", 50, "declined"),), {"P": 6_000, "pf": 50}),
    (
        "D4",
        (
            PayoutReturned(*OUT, "bank", "ret_1", 6_000, "EUR", bank_account="main"),
            PayoutGivenBack(*OUT, 6_000, "EUR"),
        ),
        {"P": 6_000},
    ),
    ("E1", (PrincipalFunded("fnd_1", "payroll", 6_000, "EUR", "main"),), {"x": 6_000}),
    ("E2", (FloatFed("flt_1", "float", 6_000, "EUR", "main"),), {"x": 6_000}),
    ("E3", (PayoutReserved(*AGENCY, "float", 6_000, "EUR", 30, BANK),), {"P": 6_000, "pf": 30}),
    ("E4", (PayoutPaid(*AGENCY, "float", "out_1", 6_000, "EUR", True, 20),), {"P": 6_000, "rf": 20}),
    ("E5", (PayoutRejected(*AGENCY, 6_000, "EUR", 30, "declined"),), {"P": 6_000, "pf": 30}),
    (
        "E6",
        (
            PayoutReturned(*AGENCY, "float", "ret_1", 6_000, "EUR", prefunded=True),
            PayoutGivenBack(*AGENCY, 6_000, "EUR"),
        ),
        {"P": 6_000},
    ),
    ("F1", (TopUpSucceeded("top_1", "ann", "card", "ch_1", 6_000, "EUR", 0),), {"W": 6_000}),
    ("F2", (WalletFrozen("frz_1", "ann", 1_000, "EUR", "a check"),), {"x": 1_000}),
    ("F2", (PaymentWalletFrozen("ann", 1_000, "EUR"),), {"x": 1_000}),
    ("F3", (PaymentPaidFromWallet("ann", "shop", "balance_pay", 6_000, "EUR", 130),), {"W": 6_000, "M": 130}),
    (
        "F4",
        (PaymentCapturedFromWallet("cap_1-1", "ann", "shop", "balance_pay", 4_000, "EUR", 0, 2_000),),
        {"x": 4_000, "U": 2_000},
    ),
    (
        "F5",
        (RefundPaidToWallet("ref_1-1", "pay_1", "shop", "ann", 6_000, "EUR", 0, "returned", from_available=6_000),),
        {"R": 6_000},
    ),
    ("F6", (PayoutReserved("po_1", "customer", "ann", "bank", 6_000, "EUR", 0, BANK),), {"W": 6_000}),
    ("F7", (WalletTransferred("wtr_1", "ann", "bob", 500, "EUR"),), {"x": 500}),
    (
        "F8",
        (PaymentCaptured(*PAY, 4_000, "EUR", 0, 0, from_wallet=2_000, customer="ann"),),
        {"W": 2_000, "U": 4_000},
    ),
    ("G1", (PaymentPaidOnCredit("ann", "shop", "credit_pay", 6_000, "EUR", 130),), {"G": 6_000, "M": 130}),
    ("G2", (CreditInterestCharged("ann", "EUR", "2026-03", 6_000, 9, 1),), {"i": 10}),
    ("G3", (CreditRepaid("rep_1", "ann", "card", "EUR", 0, 0, 9, 91),), {"x": 100, "i": 9}),
    (
        "G4",
        (RefundPaidToCredit("ref_1-1", "pay_1", "shop", "ann", 100, "EUR", 60, 0, "returned", from_available=100),),
        {"R": 100, "U": 60},
    ),
    (
        "G5",
        (
            CreditImpaired(1, "ann", 60, "EUR", "maker", "checker"),
            CreditWrittenOff(2, "ann", 60, "EUR", 0, "maker", "checker"),
        ),
        {"x": 60},
    ),
    ("H1", (PaymentCoinsSeen("pay_1-1", "tx_1", 7, "BTC", 1, 2),), {}),
    (
        "H2",
        (PaymentPaidInCoins("pay_1-1", "gate", "tx_1", "shop", "virtual_currency", 6_000, "EUR", 0, 0, "BTC", 7),),
        {"q": 7, "G": 6_000},
    ),
    ("H3", (CoinsSold("coin_1", "gate", "kraken", 7, "BTC", 5_900, "EUR"),), {"q": 7, "X": 5_900}),
    ("H4", (FxRealized("coin_1", "gate", "BTC", "EUR", "EUR", loss=100),), {"d": 100}),
    ("H5", (PaymentCoinsUnapplied("pay_1-1", "gate", "tx_1", 7, "BTC", "too little"),), {"q": 7}),
    ("H6", (NetworkFeePaid("coin_1", "gate", 2, "BTC"),), {"n": 2}),
    ("I1", (PaymentCaptured(*PAY, 10_000, "EUR", 0, 0, exchange=USD),), {"Pe": 10_000, "Um": 12_500}),
    ("I2", (FxSettled("pay_1", "card", 10_000, "EUR", 12_600, "USD"),), {"Pe": 10_000, "Us": 12_600}),
    ("I3", (FxRealized("pay_1", "card", "EUR", "USD", "USD", gain=100),), {"d": 100}),
    ("J1 A6", (PaymentReceiptUnapplied("pay_1-1", "card", "ch_1", 6_000, "EUR", 36, "the payment is failed"),), SALE),
    ("J2", (PaymentCaptured(*PAY, 6_000, "EUR", 130, 36, receipt=1),), SALE),
    (
        "J3",
        (ReceiptReturnRequested("rcb_1-1", 1, "pay_1", "shop", "pay_1-1", "card", "ch_1", 6_000, "EUR"),),
        SALE,
    ),
    ("J4", (PaymentReceiptUnapplied("pay_1-1", "card", "ch_2", 6_000, "EUR", 0, "the payment is paid"),), SALE),
    ("K1", (PaymentReceiptUnapplied("pay_1-1", "card", "ch_1", 6_000, "EUR", 0, "the payment is expired"),), SALE),
    ("K2", (revoked(""),), SALE),
    # Reports and statements.
    ("A7", (reported(reported_fee=40),), REPORTED),
    ("A7", (reported(reported_fee=36),), {**REPORTED, "Fa": 36}),
    ("A8", (of_batch("fee", -75),), {"rf": 75}),
    ("A9", (of_batch("reserve", -600),), {"r": 600}),
    (
        "A10",
        (BankLineCleared(at_bank(5_950), "batches", (), (BatchShare("card", "b_1", 5_964),), bank_fee=14),),
        {"S": 5_964, "b": 14},
    ),
    ("B4", (reported("refund", -6_000, 0, -6_000, 25),), {"R": 6_000, "rf": 25}),
    ("C2r", (reported("chargeback", -6_000, 1_500, -6_000, 1_500),), {"C": 6_000, "cf": 1_500}),
    ("J5", (BankLineSuspended(at_bank(500)),), {"x": 500}),
    ("J6", (BankLineSuspended(at_bank(-500)),), {"x": 500}),
    (
        "A7 K3",
        (reported(reported_gross=5_900, reported_fee=40, difference_to="merchant", bearer="sys:2110:shop:eur"),),
        {**REPORTED, "G": 5_900, "d": 100},
    ),
    (
        "A7 K4",
        (reported(reported_gross=5_999, reported_fee=40, difference_to="tolerance"),),
        {**REPORTED, "t": 1},
    ),
    ("K5", (FractionRounded("card", "EUR", "b_1", 3),), {"t": 3}),
    ("K6", (reported(reported_fee=136, claim=True),), {**REPORTED, "Fa": 136}),
)


def posted(events: tuple[Event, ...]) -> Counter[tuple[str, str, int]]:
    """Number of the account, side and amount of all that these events post."""
    legs: Counter[tuple[str, str, int]] = Counter()
    for event in events:
        entry = entry_for(event)
        for posting in () if entry is None else entry.postings:
            number = posting.account.split(":")[1]
            legs[number, "D" if posting.direction == "debit" else "C", posting.amount] += 1
    return legs


def by_account(legs: Counter[tuple[str, str, int]]) -> dict[tuple[str, str], int]:
    """The turnover of each account on each side: fee and tax may stand in one leg or in two."""
    turnover: Counter[tuple[str, str]] = Counter()
    for (number, side, amount), times in legs.items():
        turnover[number, side] += amount * times
    return dict(turnover)


def named(case: Case) -> str:
    return f"{case[0]}-{type(case[1][-1]).__name__}"


@pytest.mark.parametrize("case", CASES, ids=named)
def test_the_row_is_posted_exactly_so(case: Case) -> None:
    rows, events, symbols = case
    expected: Counter[tuple[str, str, int]] = Counter()
    for row in rows.split():
        # What an invoiced fee replaces is the fee's own legs of the sale.
        without = {"M": 0, "T": 0} if row == "A5" and "A13" in rows.split() else {}
        for number, side, amount in postings_of_row(row, symbols | without):
            expected[number, side, amount] += 1
    assert by_account(posted(events)) == by_account(expected)


def test_no_row_is_forgotten() -> None:
    told = {row for rows, _, _ in CASES for row in rows.split()}
    assert told <= EVENT_TABLE.keys()
    assert sorted(set(EVENT_TABLE) - told) == []
    assert sorted(set(ALL_ROWS) - told - set(ELSEWHERE)) == []
    assert not told & ELSEWHERE.keys()


def test_every_row_of_the_table_balances() -> None:
    # Each symbol of its own size, so that no two of them stand for each other by chance.
    sizes = {"Disc": 500, "x": 100, "i": 9, "U": 60, "R": 6_000, "G": 7_000, "F": 36, "W": 900, "T": 26, "M": 130}
    others = {
        symbol: number
        for number, symbol in enumerate(
            [
                "A",
                "C",
                "N",
                "P",
                "S",
                "X",
                "b",
                "cf",
                "d",
                "df",
                "Fa",
                "Fr",
                "Mr",
                "n",
                "Pe",
                "pf",
                "q",
                "r",
                "rf",
                "t",
                "Um",
                "Us",
            ],
            50,
        )
    }
    # Coins and two currencies balance in each unit, not in their sum.
    for row in EVENT_TABLE.keys() - {"H2", "H3", "I1", "I2"}:
        legs = postings_of_row(row, sizes | others)
        assert sum(amount if side == "D" else -amount for _, side, amount in legs) == 0, row
