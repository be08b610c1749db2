"""Posting tables of products: mixed payments, credit, foreign cards and coins, row by row of the event table."""

import pytest

from commands.credit_lines import ChargeInterest
from ledger.events.coins import CoinsSold, NetworkFeePaid, PaymentPaidInCoins
from ledger.events.credit_lines import CreditImpaired, CreditInterestCharged, CreditRepaid, CreditWrittenOff
from ledger.events.event import Event
from ledger.events.fx import FxRealized, FxSettled
from ledger.events.payments import Exchange, PaymentCaptured, PaymentPaidOnCredit
from ledger.events.refunds import RefundPaidToCredit
from tests.commands.given import NOON, Happening, given, postings_of
from tests.commands.product_stories import (
    GATEWAY,
    PAID_ABROAD,
    PRICE,
    WITH_A_WALLET,
    WITH_CREDIT,
    coins,
    mixed,
    on_credit,
    repaid,
    waiting_for_coins,
)
from tests.commands.stories import DECLINED, PARTIES, attempt_of, charged, refund, refund_result, refunded

Rows = set[tuple[str, str, int]]
USD = Exchange(12_500, "USD", "1.25", "treasury", NOON, NOON, "fxq_1")

# The rows as they stand, without the fees that stories add.
ROWS: dict[str, tuple[Event, Rows]] = {
    "F8": (
        PaymentCaptured("a", "card", "r", "shop", "quick_pay", 400, "EUR", 0, 0, from_wallet=200, customer="ann"),
        {("sys:2020:ann:eur", "D", 200), ("sys:1110:card:eur", "D", 400), ("sys:2110:shop:eur", "C", 600)},
    ),
    "G1": (
        PaymentPaidOnCredit("ann", "shop", "credit_pay", 600, "EUR", 12),
        {
            ("sys:1220:ann:eur", "D", 600),
            ("sys:2110:shop:eur", "C", 600),
            ("sys:2110:shop:eur", "D", 12),
            ("sys:4010:credit_pay:eur", "C", 12),
        },
    ),
    "G2": (
        CreditInterestCharged("ann", "EUR", "2026-03", 600, 9, 1),
        {("sys:1221:ann:eur", "D", 10), ("sys:4040:credit_pay:eur", "C", 10)},
    ),
    "G3": (
        CreditRepaid("rep_1", "ann", "card", "EUR", 0, 0, 9, 91),
        {("sys:1110:card:eur", "D", 100), ("sys:1221:ann:eur", "C", 9), ("sys:1220:ann:eur", "C", 91)},
    ),
    "G4": (
        RefundPaidToCredit("ref_1", "pay_1", "shop", "ann", 100, "EUR", 60, 0, "returned"),
        {("sys:2110:shop:eur", "D", 100), ("sys:1220:ann:eur", "C", 60), ("sys:2010:ann:eur", "C", 40)},
    ),
    "G5, impairment": (
        CreditImpaired(1, "ann", 60, "EUR", "maker", "checker"),
        {("sys:5050:credit_pay:eur", "D", 60), ("sys:1229:ann:eur", "C", 60)},
    ),
    "G5": (
        CreditWrittenOff(1, "ann", 60, "EUR", 60, "maker", "checker"),
        {
            ("sys:5050:credit_pay:eur", "D", 60),
            ("sys:1229:ann:eur", "D", 60),
            ("sys:1229:ann:eur", "C", 60),
            ("sys:1220:ann:eur", "C", 60),
        },
    ),
    "H2": (
        PaymentPaidInCoins("a", "gate", "tx", "shop", "virtual_currency", 600, "EUR", 0, 0, "BTC", 7),
        {
            ("sys:1310:gate:btc", "D", 7),
            ("sys:1410:gate:btc-eur:btc", "C", 7),
            ("sys:1410:gate:btc-eur:eur", "D", 600),
            ("sys:2110:shop:eur", "C", 600),
        },
    ),
    "H3": (
        CoinsSold("coin_1", "gate", "kraken", 7, "BTC", 590, "EUR"),
        {
            ("sys:1110:kraken:eur", "D", 590),
            ("sys:1410:gate:btc-eur:btc", "D", 7),
            ("sys:1410:gate:btc-eur:eur", "C", 590),
            ("sys:1310:gate:btc", "C", 7),
        },
    ),
    "H4": (
        FxRealized("coin_1", "gate", "BTC", "EUR", "EUR", loss=10),
        {("sys:5040:gate:eur", "D", 10), ("sys:1410:gate:btc-eur:eur", "C", 10)},
    ),
    "H4, a gain": (
        FxRealized("coin_1", "gate", "BTC", "EUR", "EUR", gain=10),
        {("sys:1410:gate:btc-eur:eur", "D", 10), ("sys:4030:gate:eur", "C", 10)},
    ),
    "H6": (
        NetworkFeePaid("coin_1", "gate", 2, "BTC"),
        {("sys:5010:gate:btc", "D", 2), ("sys:1310:gate:btc", "C", 2)},
    ),
    "I1": (
        PaymentCaptured("a", "card", "r", "usco", "foreign_card", 10_000, "EUR", 0, 0, exchange=USD),
        {
            ("sys:1110:card:eur", "D", 10_000),
            ("sys:1410:card:eur-usd:usd", "D", 12_500),
            ("sys:1410:card:eur-usd:eur", "C", 10_000),
            ("sys:2110:usco:usd", "C", 12_500),
        },
    ),
    "I2": (
        FxSettled("pay_1", "card", 10_000, "EUR", 12_600, "USD"),
        {
            ("sys:1120:card:usd", "D", 12_600),
            ("sys:1410:card:eur-usd:eur", "D", 10_000),
            ("sys:1410:card:eur-usd:usd", "C", 12_600),
            ("sys:1110:card:eur", "C", 10_000),
        },
    ),
    "I3": (
        FxRealized("pay_1", "card", "EUR", "USD", "USD", gain=100),
        {("sys:1410:card:eur-usd:usd", "D", 100), ("sys:4030:card:usd", "C", 100)},
    ),
    "I3, a loss": (
        FxRealized("pay_1", "card", "EUR", "USD", "USD", loss=100),
        {("sys:5040:card:usd", "D", 100), ("sys:1410:card:eur-usd:usd", "C", 100)},
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_the_row_of_the_event_table_is_posted_so(row: str) -> None:
    event, postings = ROWS[row]
    assert postings_of(event) == postings


STORIES: dict[str, tuple[tuple[Happening, ...], Rows]] = {
    "F2: the wallet's part of a mixed payment is set aside": (
        (*WITH_A_WALLET, mixed()),
        {("sys:2010:ann:eur", "D", 2_000), ("sys:2020:ann:eur", "C", 2_000)},
    ),
    "F2, the opposite: the card was refused": (
        (*WITH_A_WALLET, mixed(), attempt_of("pay_1", DECLINED)),
        {("sys:2020:ann:eur", "D", 2_000), ("sys:2010:ann:eur", "C", 2_000)},
    ),
    "F8 with A5 and A6: both succeeded": (
        (*WITH_A_WALLET, mixed(), attempt_of("pay_1", charged(4_000))),
        {
            ("sys:2020:ann:eur", "D", 2_000),
            ("sys:1110:card_simulator:eur", "D", 4_000),
            ("sys:2110:acme:eur", "C", 6_000),
            ("sys:2110:acme:eur", "D", 130),
            ("sys:4010:quick_pay:eur", "C", 130),
            ("sys:5010:card_simulator:eur", "D", 24),
            ("sys:1110:card_simulator:eur", "C", 24),
        },
    ),
    "F8: the refund of both parts, once the channel gave back its own": (
        (
            *WITH_A_WALLET,
            mixed(),
            attempt_of("pay_1", charged(4_000)),
            refund(5_000),
            refund_result(1, refunded(4_000)),
        ),
        {
            ("sys:2210:acme:eur", "D", 5_000),
            ("sys:1110:card_simulator:eur", "C", 4_000),
            ("sys:2010:ann:eur", "C", 1_000),
        },
    ),
    "G2: a month's interest and its fee": (
        (*WITH_CREDIT, on_credit(), ChargeInterest("ann", "EUR", "2026-03")),
        {("sys:1221:ann:eur", "D", 115), ("sys:4040:credit_pay:eur", "C", 115)},
    ),
    "G3 and A6: a repayment": (
        (*WITH_CREDIT, on_credit(), ChargeInterest("ann", "EUR", "2026-03"), *repaid(1_000)),
        {
            ("sys:1110:card_simulator:eur", "D", 1_000),
            ("sys:1221:ann:eur", "C", 115),
            ("sys:1220:ann:eur", "C", 885),
            ("sys:5010:card_simulator:eur", "D", 6),
            ("sys:1110:card_simulator:eur", "C", 6),
        },
    ),
    "G4: more is refunded than is owed": (
        (*WITH_CREDIT, on_credit(), *repaid(5_000), refund(3_000)),
        {("sys:2110:acme:eur", "D", 3_000), ("sys:1220:ann:eur", "C", 1_000), ("sys:2010:ann:eur", "C", 2_000)},
    ),
    "I1 with A6: a foreign card": (
        PAID_ABROAD,
        {
            ("sys:1110:card_simulator:eur", "D", 10_000),
            ("sys:1410:card_simulator:eur-usd:usd", "D", 12_500),
            ("sys:1410:card_simulator:eur-usd:eur", "C", 10_000),
            ("sys:2110:usco:usd", "C", 12_500),
            ("sys:2110:usco:usd", "D", 250),
            ("sys:4010:foreign_card:usd", "C", 250),
            ("sys:5010:card_simulator:eur", "D", 60),
            ("sys:1110:card_simulator:eur", "C", 60),
        },
    ),
    "I1 the other way round: a foreign payment is refunded in its own currency": (
        (*PAID_ABROAD, refund(4_000)),
        {
            ("sys:2110:usco:usd", "D", 5_000),
            ("sys:1410:card_simulator:eur-usd:usd", "C", 5_000),
            ("sys:1410:card_simulator:eur-usd:eur", "D", 4_000),
            ("sys:2210:usco:eur", "C", 4_000),
        },
    ),
    "H2 with the fee": (
        (*PARTIES, *waiting_for_coins(), coins()),
        {
            (f"sys:1310:{GATEWAY}:btc", "D", PRICE),
            (f"sys:1410:{GATEWAY}:btc-eur:btc", "C", PRICE),
            (f"sys:1410:{GATEWAY}:btc-eur:eur", "D", 6_000),
            ("sys:2110:acme:eur", "C", 6_000),
            ("sys:2110:acme:eur", "D", 130),
            ("sys:4010:virtual_currency:eur", "C", 130),
        },
    ),
    "H5: too few coins": (
        (*PARTIES, *waiting_for_coins(), coins(amount=1)),
        {(f"sys:1310:{GATEWAY}:btc", "D", 1), (f"sys:2310:{GATEWAY}:btc", "C", 1)},
    ),
    "H5: late coins": (
        (*PARTIES, *waiting_for_coins(), coins(amount=7, late=True)),
        {(f"sys:1310:{GATEWAY}:btc", "D", 7), (f"sys:2310:{GATEWAY}:btc", "C", 7)},
    ),
}


@pytest.mark.parametrize("row", STORIES)
def test_the_last_entry_of_the_story_is_this(row: str) -> None:
    story, postings = STORIES[row]
    posted = [rows for recorded in given(*story).log if (rows := postings_of(recorded.event))]
    assert posted[-1] == postings
