"""Posting tables of what comes after a sale: each row is a story and the postings of the event that it is about."""

import pytest

from commands.returned_refunds import ResolveRefund
from ledger.events.disputes import (
    DisputeFundsReturned,
    DisputeFundsTaken,
    DisputeLossReversed,
    DisputeLost,
    DisputeMoved,
)
from ledger.events.event import Event
from ledger.events.payments import PaymentCaptured, PaymentReceiptUnapplied
from ledger.events.receipts import ReceiptReturned, ReceiptReturnFailed, ReceiptReturnRequested
from ledger.events.refunds import RefundFailed, RefundPaidByBank, RefundReturned, RefundSucceeded, RefundUnapplied
from tests.commands.dispute_stories import accept, challenge, paid, returned, word
from tests.commands.given import Happening, given, postings_of
from tests.commands.stories import PAID_BY_CARD, REFUND_DECLINED, attempt_of, charged, refund, refund_result, refunded
from tests.commands.test_receipts import late, result
from tests.commands.test_returned_refunds import CAME_BACK

Row = tuple[tuple[Happening, ...], type[Event], set[tuple[str, str, int]]]

CHANNEL, CLAIM, SUSPENSE = "sys:1110:card_simulator:eur", "sys:1230:card_simulator:eur", "sys:1910:card_simulator:eur"
PENDING, DEBT, HOLD = "sys:2110:acme:eur", "sys:1210:acme:eur", "sys:2140:acme:eur"
IN_TRANSIT, UNAPPLIED = "sys:2210:acme:eur", "sys:2310:card_simulator:eur"
FEE, DISPUTE_FEE = "sys:4010:quick_pay:eur", "sys:4020:acme:eur"
CHANNEL_FEE, LOSS = "sys:5010:card_simulator:eur", "sys:5020:card_simulator:eur"
DISPUTE_COST = "sys:5030:card_simulator:eur"

TAKEN = {
    (CLAIM, "D", 6_000),
    (CHANNEL, "C", 6_000),
    (PENDING, "D", 5_870),
    (DEBT, "D", 130),
    (HOLD, "C", 6_000),
}
GIVEN_BACK = {(account, "C" if side == "D" else "D", amount) for account, side, amount in TAKEN}
KEPT_APART = {(CHANNEL, "D", 6_000), (UNAPPLIED, "C", 6_000), (CHANNEL_FEE, "D", 36), (CHANNEL, "C", 36)}
PLATFORM = paid(dispute_liability="platform")
LOSS_OF_PLATFORM = {
    (LOSS, "D", 6_000),
    (HOLD, "D", 6_000),
    (CLAIM, "C", 6_000),
    (PENDING, "C", 5_870),
    (DEBT, "C", 130),
}
MOVED_BACK = {(CHANNEL, "D", 6_000), (IN_TRANSIT, "C", 6_000)}

ROWS: dict[str, Row] = {
    "C1: an inquiry": ((*paid(), word(stage="pre_dispute")), DisputeMoved, set()),
    "C1: evidence": ((*paid(), word(), challenge()), DisputeMoved, set()),
    "C2: a chargeback": ((*paid(), word()), DisputeFundsTaken, TAKEN),
    "C2: the channel's fee": (
        (*paid(), word(fee=1_500)),
        DisputeMoved,
        {(DISPUTE_COST, "D", 1_500), (CHANNEL, "C", 1_500)},
    ),
    "C2: what it costs the merchant": (
        (*paid(dispute_fee=2_000), word(amount=5_000)),
        DisputeFundsTaken,
        {
            (CLAIM, "D", 5_000),
            (CHANNEL, "C", 5_000),
            (PENDING, "D", 5_000),
            (HOLD, "C", 5_000),
            (PENDING, "D", 870),
            (DEBT, "D", 1_130),
            (DISPUTE_FEE, "C", 2_000),
        },
    ),
    "C2: of what was refunded already": (
        (*PAID_BY_CARD, refund(), refund_result(1, refunded()), word()),
        DisputeFundsTaken,
        {(SUSPENSE, "D", 6_000), (CHANNEL, "C", 6_000)},
    ),
    "C2: in another currency": (
        (*PAID_BY_CARD, word(amount=6_600, currency="USD")),
        DisputeFundsTaken,
        {("sys:1910:card_simulator:usd", "D", 6_600), ("sys:1110:card_simulator:usd", "C", 6_600)},
    ),
    "C3: won": ((*paid(), word(), word("won")), DisputeFundsReturned, GIVEN_BACK),
    "C3: canceled": ((*paid(), word(), word("canceled")), DisputeFundsReturned, GIVEN_BACK),
    "C4: lost": ((*paid(), word(), word("lost")), DisputeLost, {(HOLD, "D", 6_000), (CLAIM, "C", 6_000)}),
    "C4: accepted": ((*paid(), word(), accept()), DisputeLost, {(HOLD, "D", 6_000), (CLAIM, "C", 6_000)}),
    "C4 the other way round: won after all": (
        (*paid(), word(), word("lost"), word("won")),
        DisputeLossReversed,
        {(HOLD, "C", 6_000), (CLAIM, "D", 6_000)},
    ),
    "C5: lost, and the platform is liable": ((*PLATFORM, word(), word("lost")), DisputeLost, LOSS_OF_PLATFORM),
    "C5 the other way round: won after all": (
        (*PLATFORM, word(), word("lost"), word("won")),
        DisputeLossReversed,
        {(account, "C" if side == "D" else "D", amount) for account, side, amount in LOSS_OF_PLATFORM},
    ),
    "C6: a second chargeback": (
        (*paid(), word(), word("won"), word(stage="pre_arbitration")),
        DisputeFundsTaken,
        TAKEN,
    ),
    "J1 and A6: a success after the failure": (late(), PaymentReceiptUnapplied, KEPT_APART),
    "J2: accepted for the order": (
        late(late_success="accept"),
        PaymentCaptured,
        {(UNAPPLIED, "D", 6_000), (PENDING, "C", 6_000), (PENDING, "D", 130), (FEE, "C", 130)},
    ),
    "J3: given back": (late(), ReceiptReturnRequested, {(UNAPPLIED, "D", 6_000), (IN_TRANSIT, "C", 6_000)}),
    "J3 and B3: it went back": (
        (*late(), result(refunded())),
        ReceiptReturned,
        {(IN_TRANSIT, "D", 6_000), (CHANNEL, "C", 6_000)},
    ),
    "J3 the other way round: it could not go back": (
        (*late(), result(REFUND_DECLINED)),
        ReceiptReturnFailed,
        {(IN_TRANSIT, "D", 6_000), (UNAPPLIED, "C", 6_000)},
    ),
    "B3 out of J1: it went back all the same": (
        (*late(), result(REFUND_DECLINED), result(refunded())),
        ReceiptReturned,
        {(UNAPPLIED, "D", 6_000), (CHANNEL, "C", 6_000)},
    ),
    "J3 and B3 the other way round: it bounced": (
        (*late(), result(refunded()), result(returned())),
        ReceiptReturnFailed,
        {(CHANNEL, "D", 6_000), (UNAPPLIED, "C", 6_000)},
    ),
    "J4 and A6: a second success": (
        (*PAID_BY_CARD, attempt_of("pay_1", charged(reference="ch_2"))),
        PaymentReceiptUnapplied,
        KEPT_APART,
    ),
    "J4 and J3: a second success goes back": (
        (*paid(late_success="accept"), attempt_of("pay_1", charged(reference="ch_2"))),
        ReceiptReturnRequested,
        {(UNAPPLIED, "D", 6_000), (IN_TRANSIT, "C", 6_000)},
    ),
    "B6: a refund failed after its success": (CAME_BACK, RefundReturned, MOVED_BACK),
    "B7: then paid by the bank": (
        (*CAME_BACK, ResolveRefund("ref_1-1", "bank_transfer")),
        RefundPaidByBank,
        {(IN_TRANSIT, "D", 6_000), ("sys:1020:main:eur", "C", 6_000)},
    ),
    "B5 after B6: its merchant takes it back": (
        (*CAME_BACK, ResolveRefund("ref_1-1", "return_to_merchant")),
        RefundFailed,
        {(IN_TRANSIT, "D", 6_000), (PENDING, "C", 5_870), (DEBT, "C", 130)},
    ),
    "B8: the merchant's fee goes back pro rata": (
        (*paid(returns_fee=True), refund(3_000), refund_result(1, refunded(3_000))),
        RefundSucceeded,
        {(IN_TRANSIT, "D", 3_000), (CHANNEL, "C", 3_000), (FEE, "D", 65), (PENDING, "C", 65)},
    ),
    "a refund that nobody asked for": (
        (*PAID_BY_CARD, refund_result(1, refunded(1_000))),
        RefundUnapplied,
        {(SUSPENSE, "D", 1_000), (CHANNEL, "C", 1_000)},
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_event_of_the_story_posts_this(row: Row) -> None:
    story, kind, postings = row
    events = [recorded.event for recorded in given(*story).log if type(recorded.event) is kind]
    assert postings_of(events[-1]) == postings
