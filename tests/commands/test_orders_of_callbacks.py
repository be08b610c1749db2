"""Orders of callbacks: five messages of a channel in all 120 orders end in the same state and the same balances.

39 of the list of scenarios. Facts count, not their order.
"""

from collections.abc import Sequence
from itertools import permutations

import pytest

from commands.envelope import Command
from tests.commands.dispute_stories import paid, parties, word
from tests.commands.given import Story, given
from tests.commands.held import authorized, capture, capture_result, changed, held_by_card, payment_of
from tests.commands.stories import attempt_of, by_card, charged, refund, refund_result, refunded

Messages = tuple[Command, Command, Command, Command, Command]
TERMS = {"dispute_fee": 300}

AUTHORIZED = attempt_of("pay_1", authorized(until=None))
CAPTURED = attempt_of("pay_1", charged())
PARTIAL_REFUND, REFUND = refund_result(1, refunded(2_000, "re_1")), refund_result(2, refunded(4_000, "re_2"))
CHARGEBACK = word(fee=1_500)
FIVE: Messages = (AUTHORIZED, CAPTURED, PARTIAL_REFUND, REFUND, CHARGEBACK)

HISTORIES: dict[str, tuple[Sequence[Command], Messages]] = {
    # Nothing is known when they come: the refunds were made at the channel, and are nobody's here.
    "an order that is being asked for": ((*parties(**TERMS), by_card()), FIVE),
    # The channel was asked, and what became of it was heard: the messages come late, and all of them again.
    "a payment whose refunds were asked for": ((*paid(**TERMS), refund(2_000), refund(4_000)), FIVE),
    "a payment of which a part was given back": (
        (*paid(**TERMS), refund(2_000), refund(1_000)),
        (AUTHORIZED, CAPTURED, PARTIAL_REFUND, refund_result(2, refunded(1_000, "re_2")), CHARGEBACK),
    ),
    "money that is held, and whose capture is asked for": (
        (*parties(**TERMS), held_by_card(), attempt_of("pay_1", authorized()), capture()),
        (AUTHORIZED, capture_result(1, changed(6_000)), PARTIAL_REFUND, REFUND, CHARGEBACK),
    ),
}


def end_of(story: Story) -> tuple[object, ...]:
    """All that must not depend on the order."""
    payment = payment_of(story)
    return (
        payment.status,
        payment.captured,
        payment.refunded,
        payment.refundable,
        sorted((one.id, one.status) for one in payment.refunds),
        sorted((one.subject, one.reference) for one in payment.unasked),
        [(one.status, one.money, one.share.held, one.share.suspended, one.fee) for one in payment.disputes],
        story.balances(),
    )


@pytest.mark.parametrize("name", HISTORIES)
def test_p39_all_120_orders_of_five_callbacks_end_the_same(name: str) -> None:
    history, messages = HISTORIES[name]
    orders = list(permutations(messages))
    assert len(orders) == 120
    ends = [end_of(given(*history, *order)) for order in orders]
    assert [end for end in ends if end != ends[0]] == []


def test_p39_the_merchant_bears_what_it_has_of_the_payment_and_no_more() -> None:
    held = {
        name: [one.share.held for one in payment_of(given(*history, *messages)).disputes]
        for name, (history, messages) in HISTORIES.items()
    }
    assert list(held.values()) == [[6_000], [0], [3_000], [6_000]]
