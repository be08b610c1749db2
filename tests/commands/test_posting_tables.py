"""Posting tables: the rows of the chart's event table that exist here, posting by posting.

Each row is a story that ends with the event, and the postings that the event makes: debits and credits in minor units.
"""

import pytest

from commands.channels.channel import NotSent, Unknown
from commands.envelope import Command
from ledger.posting_rules import entry_for
from tests.commands.given import Happening, given, postings_of
from tests.commands.held import (
    HELD,
    HELD_IN_WALLET,
    IN_A_WEEK,
    cancel,
    capture,
    captured,
    changed,
    expire,
    increment,
    increment_result,
    revoke,
    void_result,
)
from tests.commands.stories import (
    DECLINED,
    PAID_BY_CARD,
    PAID_FROM_WALLET,
    PARTIES,
    REFUND_DECLINED,
    attempt_of,
    by_card,
    charged,
    from_wallet,
    refund,
    refund_result,
    refunded,
    topped_up,
)

Row = tuple[tuple[Happening, ...], set[tuple[str, str, int]]]

ROWS: dict[str, Row] = {
    "A5 and A6: a charge succeeded": (
        PAID_BY_CARD,
        {
            ("sys:1110:card_simulator:eur", "D", 6_000),
            ("sys:2110:acme:eur", "C", 6_000),
            ("sys:2110:acme:eur", "D", 130),
            ("sys:4010:quick_pay:eur", "C", 130),
            ("sys:5010:card_simulator:eur", "D", 36),
            ("sys:1110:card_simulator:eur", "C", 36),
        },
    ),
    "F1 and A6: a top-up succeeded": (
        (*PARTIES, *topped_up(10_000)),
        {
            ("sys:1110:card_simulator:eur", "D", 10_000),
            ("sys:2010:ann:eur", "C", 10_000),
            ("sys:5010:card_simulator:eur", "D", 60),
            ("sys:1110:card_simulator:eur", "C", 60),
        },
    ),
    "F3: paid from a wallet": (
        PAID_FROM_WALLET,
        {
            ("sys:2010:ann:eur", "D", 6_000),
            ("sys:2110:acme:eur", "C", 6_000),
            ("sys:2110:acme:eur", "D", 130),
            ("sys:4010:balance_pay:eur", "C", 130),
        },
    ),
    "F5: refunded to the wallet": (
        (*PAID_FROM_WALLET, refund(1_000)),
        {("sys:2110:acme:eur", "D", 1_000), ("sys:2010:ann:eur", "C", 1_000)},
    ),
    "F5 with B2: refunded to the wallet, and the merchant is short": (
        (*PAID_FROM_WALLET, refund()),
        {("sys:2110:acme:eur", "D", 5_870), ("sys:1210:acme:eur", "D", 130), ("sys:2010:ann:eur", "C", 6_000)},
    ),
    "B1: a refund was accepted": (
        (*PAID_BY_CARD, refund(1_000)),
        {("sys:2110:acme:eur", "D", 1_000), ("sys:2210:acme:eur", "C", 1_000)},
    ),
    "B2: a refund was accepted, and the merchant is short": (
        (*PAID_BY_CARD, refund()),
        {("sys:2110:acme:eur", "D", 5_870), ("sys:1210:acme:eur", "D", 130), ("sys:2210:acme:eur", "C", 6_000)},
    ),
    "B2: a refund was accepted, and the merchant has nothing at all": (
        (*PAID_BY_CARD, refund(5_870), refund(130)),
        {("sys:1210:acme:eur", "D", 130), ("sys:2210:acme:eur", "C", 130)},
    ),
    "B3: a refund succeeded": (
        (*PAID_BY_CARD, refund(), refund_result(1, refunded())),
        {("sys:2210:acme:eur", "D", 6_000), ("sys:1110:card_simulator:eur", "C", 6_000)},
    ),
    "B5: a refund failed": (
        (*PAID_BY_CARD, refund(), refund_result(1, REFUND_DECLINED)),
        {("sys:2210:acme:eur", "D", 6_000), ("sys:2110:acme:eur", "C", 5_870), ("sys:1210:acme:eur", "C", 130)},
    ),
    "A2: the channel holds money": (
        HELD,
        {("sys:9010:card_simulator:eur", "D", 6_000), ("sys:9019:card_simulator:eur", "C", 6_000)},
    ),
    "A3: it holds more": (
        (*HELD, increment(2_000), increment_result(1, changed(2_000))),
        {("sys:9010:card_simulator:eur", "D", 2_000), ("sys:9019:card_simulator:eur", "C", 2_000)},
    ),
    "A4: what was held is let go": (
        (*HELD, cancel, void_result(1, changed(6_000))),
        {("sys:9019:card_simulator:eur", "D", 6_000), ("sys:9010:card_simulator:eur", "C", 6_000)},
    ),
    "A4: what is still held after a part was captured is let go": (
        (*HELD, *captured(4_000), cancel, void_result(1, changed(2_000))),
        {("sys:9019:card_simulator:eur", "D", 2_000), ("sys:9010:card_simulator:eur", "C", 2_000)},
    ),
    "A4: what is held ends with its time": (
        (*HELD, *captured(4_000), IN_A_WEEK, expire),
        {("sys:9019:card_simulator:eur", "D", 2_000), ("sys:9010:card_simulator:eur", "C", 2_000)},
    ),
    "A4: the rest is released after the final capture": (
        (*HELD, *captured(4_000, final=True)),
        {("sys:9019:card_simulator:eur", "D", 2_000), ("sys:9010:card_simulator:eur", "C", 2_000)},
    ),
    "A5 and A6: a part of what was held is captured": (
        (*HELD, *captured(4_000)),
        {
            ("sys:1110:card_simulator:eur", "D", 4_000),
            ("sys:2110:acme:eur", "C", 4_000),
            ("sys:2110:acme:eur", "D", 90),
            ("sys:4010:quick_pay:eur", "C", 90),
            ("sys:5010:card_simulator:eur", "D", 24),
            ("sys:1110:card_simulator:eur", "C", 24),
            ("sys:9019:card_simulator:eur", "D", 4_000),
            ("sys:9010:card_simulator:eur", "C", 4_000),
        },
    ),
    "B10: a success is revoked on its day": (
        (*PAID_BY_CARD, revoke, void_result(1, changed(6_000))),
        {
            ("sys:2110:acme:eur", "D", 6_000),
            ("sys:4010:quick_pay:eur", "D", 130),
            ("sys:1110:card_simulator:eur", "D", 36),
            ("sys:1110:card_simulator:eur", "C", 6_000),
            ("sys:2110:acme:eur", "C", 130),
            ("sys:5010:card_simulator:eur", "C", 36),
        },
    ),
    "B10 with A2: a capture is revoked on its day and held again": (
        (*HELD, *captured(4_000), revoke, void_result(1, changed(4_000))),
        {
            ("sys:2110:acme:eur", "D", 4_000),
            ("sys:4010:quick_pay:eur", "D", 90),
            ("sys:1110:card_simulator:eur", "D", 24),
            ("sys:1110:card_simulator:eur", "C", 4_000),
            ("sys:2110:acme:eur", "C", 90),
            ("sys:5010:card_simulator:eur", "C", 24),
            ("sys:9010:card_simulator:eur", "D", 4_000),
            ("sys:9019:card_simulator:eur", "C", 4_000),
        },
    ),
    "F2: held in a wallet": (
        HELD_IN_WALLET,
        {("sys:2010:ann:eur", "D", 6_000), ("sys:2020:ann:eur", "C", 6_000)},
    ),
    "F2 the other way round: let go in a wallet": (
        (*HELD_IN_WALLET, cancel),
        {("sys:2020:ann:eur", "D", 6_000), ("sys:2010:ann:eur", "C", 6_000)},
    ),
    "F4: captured from a wallet, and the rest is let go": (
        (*HELD_IN_WALLET, capture(4_000, final=True)),
        {
            ("sys:2020:ann:eur", "D", 6_000),
            ("sys:2110:acme:eur", "C", 4_000),
            ("sys:2010:ann:eur", "C", 2_000),
            ("sys:2110:acme:eur", "D", 90),
            ("sys:4010:balance_pay:eur", "C", 90),
        },
    ),
    "J1 the other way round: a refund that succeeded after it failed": (
        (*PAID_BY_CARD, refund(), refund_result(1, REFUND_DECLINED), refund_result(1, refunded())),
        {("sys:1910:card_simulator:eur", "D", 6_000), ("sys:1110:card_simulator:eur", "C", 6_000)},
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_the_last_event_of_the_story_posts_this(row: str) -> None:
    story, postings = ROWS[row]
    assert postings_of(given(*story).log[-1].event) == postings


# A1: nothing has been earned or is owed.
SILENT: dict[str, tuple[Command, ...]] = {
    "an order": (*PARTIES, by_card()),
    "silence": (*PARTIES, by_card(), attempt_of("pay_1", Unknown("ReadTimeout"))),
    "a decline": (*PARTIES, by_card(), attempt_of("pay_1", DECLINED)),
    "nothing was sent": (*PARTIES, by_card(), attempt_of("pay_1", NotSent("ConnectError"))),
    "a wallet payment that is too dear": PARTIES,
}


@pytest.mark.parametrize("row", SILENT)
def test_a_state_is_never_a_posting(row: str) -> None:
    story = given(*SILENT[row])
    assert [recorded.event for recorded in story.log if entry_for(recorded.event) is not None] == []
    assert story.balances() == {}


def test_the_worked_story_of_two_sales_and_a_refund() -> None:
    # Two sales of 100.00 at a merchant fee of 2.00 and a channel fee of 0.60 each, one refund of 40.00 in part.
    story = given(*PARTIES, *topped_up(10_000), from_wallet("pay_1", 5_000), by_card("pay_2", 10_000))
    story.given(attempt_of("pay_2", charged(10_000)), refund(4_000, "pay_2"))
    assert story.balances() == {
        "sys:1110:card_simulator:eur": 10_000 - 60 + 10_000 - 60,
        "sys:5010:card_simulator:eur": 120,
        "sys:2010:ann:eur": 5_000,
        "sys:2110:acme:eur": 5_000 - 110 + 10_000 - 210 - 4_000,
        "sys:4010:balance_pay:eur": 110,
        "sys:4010:quick_pay:eur": 210,
        "sys:2210:acme:eur": 4_000,
    }
