"""Trails and the feed: everything that concerns an entity, and everything that happened."""

from collections.abc import Callable

from commands.accounts import FreezeAccount
from commands.entries import ReverseEntry
from commands.holds import CaptureHold, ReleaseHold
from commands.transfers import PlaceHold, PostTransfer
from projections.audit_trail import Fact, trail
from projections.events_feed import feed
from tests.commands.product_stories import WITH_CREDIT, on_credit, repaid
from tests.commands.stories import (
    ANN,
    CHANNEL_FEE,
    PARTIES,
    RECEIVABLE,
    attempt_of,
    by_card,
    charged,
    from_wallet,
    refund_result,
    refunded,
    topped_up,
)
from tests.commands.stories import (
    refund as ask_refund,
)
from tests.projections.days_work import ACCOUNTS
from tests.projections.reading import Reader
from tests.writing import Pen, body_of


def topics(facts: list[Fact]) -> list[str]:
    assert [fact.position for fact in facts] == sorted({fact.position for fact in facts})
    return [fact.topic.removesuffix(".v1") for fact in facts]


def test_a_trail_holds_all_that_concerns_an_entity(held: Pen, reader: Reader, keep_up: Callable[[], object]) -> None:
    story = (
        *PARTIES,
        *topped_up(10_000),
        by_card(),
        attempt_of("pay_1", charged(reference="ch_77")),
        ask_refund(2_000),
        refund_result(1, refunded(2_000)),
        from_wallet("pay_2", 1_000),
        PostTransfer("ent_1", "cash", "ann", 50, "EUR", reference="invoice-1"),
        ReverseEntry("ent_2", "ent_1", "by mistake"),
        PlaceHold("hold_1", "cash", "ann", 50, "EUR", reference="room-7"),
        CaptureHold("hold_1", 10),
        ReleaseHold("hold_1", "changed plans"),
    )
    for command in story:
        held.do(command)
    keep_up()
    of_payment = [
        "payments.created",
        "payments.risk_assessed",
        "payments.routed",
        "payments.attempt_initiated",
        "payments.captured",
        "refunds.requested",
        "refunds.succeeded",
    ]
    expected = {
        "pay_1": of_payment,
        "pay_1-1": ["payments.attempt_initiated", "payments.captured", "refunds.requested"],
        "ref_1-1": ["refunds.requested", "refunds.succeeded"],
        "ch_77": ["payments.captured", "refunds.requested"],
        "order-1": ["payments.created", "payments.attempt_initiated", "payments.created"],
        "top_0": ["top_ups.requested", "top_ups.succeeded"],
        "ent_1": ["transfers.posted", "entries.reversal_posted", "entries.reversed"],
        "ent_2": ["entries.reversal_posted", "entries.reversed"],
        "invoice-1": ["transfers.posted", "entries.reversal_posted", "entries.reversed"],
        "hold_1": ["holds.placed", "holds.captured", "holds.released"],
        "hold_1.2": ["holds.captured"],
        "room-7": ["holds.placed", "holds.captured", "holds.released"],
        "ann": [
            "accounts.opened",
            "customers.created",
            "customers.wallet_opened",
            "top_ups.requested",
            "top_ups.succeeded",
            "payments.created",
            "payments.paid_from_wallet",
            "transfers.posted",
            "entries.reversal_posted",
            "holds.placed",
            "holds.captured",
            "holds.released",
        ],
        ANN: ["accounts.opened", "top_ups.succeeded", "payments.paid_from_wallet"],
        CHANNEL_FEE: ["accounts.opened", "top_ups.succeeded", "payments.captured"],
        RECEIVABLE: ["accounts.opened", "top_ups.succeeded", "payments.captured", "refunds.succeeded"],
        "nobody": [],
    }
    assert {entity: topics(reader.ask(trail, entity)) for entity in expected} == expected
    merchant = topics(reader.ask(trail, "acme"))
    assert merchant[0] == "merchants.created"
    assert merchant.count("payments.created") == 2
    assert {"payments.captured", "payments.paid_from_wallet", "refunds.requested", "refunds.succeeded"} < set(merchant)


def test_an_amount_that_is_called_principal_names_nobody(
    held: Pen, reader: Reader, keep_up: Callable[[], object]
) -> None:
    for command in (*WITH_CREDIT, on_credit(), *repaid(1_000)):
        held.do(command)
    keep_up()
    of_ann = topics(reader.ask(trail, "ann"))
    assert {"credit_lines.opened", "credit_lines.repaid"} <= set(of_ann)


def test_a_trail_says_who_with_which_key_when_and_why(held: Pen, reader: Reader) -> None:
    held.do(FreezeAccount("ann", "a question"), "key-of-the-freeze")
    opened, frozen = reader.ask(trail, "ann")
    assert (opened.stream, opened.version, frozen.version) == ("account/ann", 1, 2)
    assert (frozen.who, frozen.key, frozen.why) == ("key_tests", "key-of-the-freeze", "a question")
    assert opened.when <= frozen.when
    assert frozen.data == {"id": "ann", "reason": "a question"}


def test_a_trail_is_read_in_pages(held: Pen, reader: Reader, keep_up: Callable[[], object]) -> None:
    for number in range(10):
        held.do(PostTransfer(f"ent_{number}", "cash", "ann", 5, "EUR"))
    keep_up()
    whole, after, pages = reader.ask(trail, "cash"), 0, list[Fact]()
    while page := reader.ask(trail, "cash", after=after, limit=3):
        assert len(page) <= 3
        pages += page
        after = page[-1].position
    assert len(whole) == 11
    assert pages == whole


# --- the feed


def test_the_feed_goes_on_behind_a_position_and_keeps_to_a_topic(held: Pen, reader: Reader) -> None:
    answer = held.do(PostTransfer("ent_1", "cash", "ann", 5, "EUR", description="hello"))
    held.do(PlaceHold("hold_1", "cash", "ann", 50, "EUR"))
    whole = reader.ask(feed)
    assert [fact.position for fact in whole.facts] == list(range(1, len(ACCOUNTS) + 3))
    rest = reader.ask(feed, after=len(ACCOUNTS), limit=1)
    assert [fact.data for fact in rest.facts] == [
        {"debit_account": "cash", "credit_account": "ann", "amount": 5, "currency": "EUR", "description": "hello"}
    ]
    assert rest.until == answer.position
    of_topic = reader.ask(feed, topic="holds.placed.v1")
    assert topics(of_topic.facts) == ["holds.placed"]
    assert of_topic.until == answer.position + 1
    assert body_of(answer)["id"] == rest.facts[0].stream
