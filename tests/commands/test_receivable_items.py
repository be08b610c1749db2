"""Receivable items: at every moment what is open of them is the balance of their channel's receivable."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as sampled
from hypothesis import strategies as st

from commands.corrections import CorrectPayment
from commands.fx_settlements import SettleExchange
from ledger.chart import Code, channel_receivable
from ledger.events.entries import EntryPosted
from ledger.events.event import Event, Metadata, Recorded
from ledger.events.fx import FxSettled
from ledger.events.payments import PaymentReceiptUnapplied
from ledger.events.transfers import TransferPosted
from ledger.journal import credit, debit, opposite
from ledger.posting_rules import POSTING_EVENTS, entry_for, movements_for
from ledger.receivable_item import Items, ReceivableItem, opening_stream
from ledger.receivable_items import EVENTS, OPENING_RULES, STANDALONE, changes, concerns
from ledger.receivable_settling import SETTLING_RULES
from ledger.store.codec import EVENT_TYPES
from tests.commands.dispute_stories import returned, word
from tests.commands.given import NOON, Happening, given
from tests.commands.held import HELD, captured, changed, revoke, void_result
from tests.commands.histories import tell
from tests.commands.product_stories import (
    PAID_ABROAD,
    WITH_A_WALLET,
    WITH_CREDIT,
    coins,
    mixed,
    on_credit,
    sale,
    waiting_for_coins,
)
from tests.commands.product_stories import repaid as paid_back
from tests.commands.stories import (
    CHANNEL,
    CHANNEL_FEE,
    PAID_BY_CARD,
    PARTIES,
    RECEIVABLE,
    REFUND_DECLINED,
    attempt_of,
    charged,
    refund,
    refund_result,
    refunded,
    topped_up,
)
from tests.properties.events_of_all_kinds import events as drawn

_PREFIX = f"sys:{Code.CHANNEL_RECEIVABLE.number}:"


class SubLedger:
    """All items of a log beside the balances of the receivables, each added up by itself."""

    def __init__(self) -> None:
        self.items: defaultdict[str, Items] = defaultdict(dict)
        self.balances: Counter[str] = Counter()

    def take(self, recorded: Recorded) -> None:
        for movement in movements_for(recorded.event):
            if movement.account.startswith(_PREFIX):
                self.balances[movement.account] += movement.debit - movement.credit
        known = self.items[opening_stream(recorded.stream)]
        known |= {item.id: item for item in changes(known, recorded)}

    def check(self, said: object) -> None:
        opened: Counter[str] = Counter()
        for item in self.all():
            if item.is_open:
                opened[channel_receivable(item.channel, item.currency)] += item.net
        assert {name: net for name, net in opened.items() if net} == {
            name: balance for name, balance in self.balances.items() if balance
        }, said

    def all(self) -> list[ReceivableItem]:
        return [item for items in self.items.values() for item in items.values()]


def check_log(log: Iterable[Recorded]) -> SubLedger:
    ledger = SubLedger()
    for recorded in log:
        ledger.take(recorded)
        ledger.check(f"after {recorded.event}")
    return ledger


# --- the law ----------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@sampled(st.randoms(use_true_random=False), st.integers(1, 40))
def test_open_items_are_the_receivable_after_each_event_of_any_history(chance: Random, steps: int) -> None:
    ledger = check_log(tell(chance, steps).log)
    assert len({item.id for item in ledger.all()}) == len(ledger.all())


BY_HAND = (debit(RECEIVABLE, 100, "EUR"), credit(CHANNEL_FEE, 100, "EUR"))
OTHER_STORIES: dict[str, Sequence[Happening]] = {
    "a repayment of a credit": (*WITH_CREDIT, on_credit(), *paid_back(4_000), *paid_back(500, 2)),
    "a mixed payment": (*WITH_A_WALLET, mixed(), attempt_of("pay_1", charged(4_000))),
    "coins that are sold": (*PARTIES, *waiting_for_coins(), coins(), sale(100_000, 5_900)),
    "an exchange settled by hand": (*PAID_ABROAD, SettleExchange("pay_1", 12_600)),
    "an exchange with its fee": (*PAID_ABROAD, SettleExchange("pay_1", 12_600, 70, batch="po_A 7")),
    "entries by hand": (
        *PAID_BY_CARD,
        ("ent_1", EntryPosted(BY_HAND)),
        ("ent_2", TransferPosted(CHANNEL_FEE, RECEIVABLE, 40, "EUR")),
        ("ent_3", EntryPosted(opposite(BY_HAND))),
    ),
    "what the channel never had": (*PAID_BY_CARD, CorrectPayment("pay_1", "failed", "asked back")),
    "a revocation": (*PAID_BY_CARD, revoke, void_result(1, changed(6_000, "vo_1"))),
    "top-ups": (*PARTIES, *topped_up(5_000)),
}


@pytest.mark.parametrize("story", OTHER_STORIES)
def test_open_items_are_the_receivable_of_what_histories_do_not_tell(story: str) -> None:
    assert check_log(given(*OTHER_STORIES[story]).log).all()


# --- the table is total -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event_type", [one for one in EVENT_TYPES if one in POSTING_EVENTS], ids=lambda one: one.topic)
@settings(max_examples=15, deadline=None)
@sampled(data=st.data())
def test_whatever_posts_to_a_receivable_has_a_row_in_the_table(event_type: type[Event], data: st.DataObject) -> None:
    """The house fails here when a new event posts to 1110, and its row in ITEM_RULES is forgotten."""
    event = data.draw(drawn(event_type))
    moved: Counter[str] = Counter()
    for movement in movements_for(event):
        if movement.account.startswith(_PREFIX):
            moved[movement.account] += movement.debit - movement.credit
    assert not moved or event_type in EVENTS
    if event_type in OPENING_RULES:
        recorded = Recorded("pay_1", 1, 1, NOON, event, Metadata(""))
        opened = Counter[str]()
        for item in changes({}, recorded):
            opened[channel_receivable(item.channel, item.currency)] += item.net
        assert {name: net for name, net in opened.items() if net} == {name: net for name, net in moved.items() if net}


def test_the_table_names_nothing_that_posts_nowhere() -> None:
    assert set(EVENT_TYPES) >= EVENTS
    assert set(OPENING_RULES) > STANDALONE
    assert not set(OPENING_RULES) & set(SETTLING_RULES)


@pytest.mark.parametrize("event_type", [one for one in EVENT_TYPES if one in STANDALONE], ids=lambda one: one.topic)
@settings(max_examples=15, deadline=None)
@sampled(data=st.data())
def test_what_stands_alone_does_not_look_at_other_items(event_type: type[Event], data: st.DataObject) -> None:
    recorded = Recorded("pay_1", 9, 9, NOON, data.draw(drawn(event_type)), Metadata(""))
    others = {item.id: item for item in check_log(given(*PAID_BY_CARD).log).all()}
    assert changes(others, recorded) == changes({}, recorded)


def test_a_transfer_of_anybody_else_is_passed_by() -> None:
    assert not concerns(TransferPosted("ann", "bob", 1, "EUR"))
    assert concerns(TransferPosted(RECEIVABLE, "bob", 1, "EUR"))


# --- what an item says ------------------------------------------------------------------------------------------------


def items_after(*happenings: Happening) -> list[ReceivableItem]:
    return check_log(given(*happenings).log).all()


def test_a_sale_carries_every_name_of_it() -> None:
    (item,) = items_after(*PAID_BY_CARD)
    assert (item.kind, item.gross, item.fee, item.net) == ("sale", 6_000, 36, 5_964)
    assert (item.channel, item.currency, item.subject) == (CHANNEL, "EUR", "pay_1-1")
    assert (item.ours, item.theirs) == (("pay_1-1", "pay_1"), ("ch_1",))
    assert (item.stream, item.payment, item.at, item.bearer) == ("pay_1", "pay_1", NOON, "sys:2110:acme:eur")
    assert entry_for(given(*PAID_BY_CARD).stream("pay_1")[-1].event) is not None
    assert item.id == given(*PAID_BY_CARD).stream("pay_1")[-1].entry_id


def test_each_capture_is_an_item_under_its_own_name() -> None:
    items = items_after(*HELD, *captured(4_000), *captured(1_000, 2))
    assert [(item.subject, item.gross, item.theirs) for item in items] == [
        ("cap_1-1", 4_000, ("ca_1",)),
        ("cap_1-2", 1_000, ("ca_2",)),
    ]


def test_a_refund_names_the_sale_that_it_is_about() -> None:
    _, back = items_after(*PAID_BY_CARD, refund(1_000), refund_result(1, refunded(1_000)))
    assert (back.kind, back.gross, back.fee, back.subject) == ("refund", -1_000, 0, "ref_1-1")
    assert (back.ours, back.theirs, back.about) == (("ref_1-1",), ("re_1",), ("ch_1", "pay_1-1", "pay_1"))


def test_a_refund_that_came_back_is_an_item_beside_it() -> None:
    *_, back = items_after(
        *PAID_BY_CARD, refund(1_000), refund_result(1, refunded(1_000)), refund_result(1, returned(1_000))
    )
    assert (back.kind, back.gross, back.about) == ("refund_returned", 1_000, ("re_1", "ref_1-1"))


def test_a_revocation_at_the_channel_is_an_item_of_its_own() -> None:
    taken, back = items_after(*PAID_BY_CARD, revoke, void_result(1, changed(6_000, "vo_1")))
    assert taken.is_open
    assert (back.kind, back.gross, back.fee, back.ours) == ("reversed", -6_000, -36, ("void_1-1",))


def test_what_the_channel_never_had_is_over_with_its_sale() -> None:
    (item,) = items_after(*PAID_BY_CARD, CorrectPayment("pay_1", "failed", "asked back"))
    assert item.status == "offset"


def test_a_chargeback_and_its_fee_are_one_item() -> None:
    *_, taken = items_after(*PAID_BY_CARD, word(fee=1_500))
    assert (taken.kind, taken.gross, taken.fee, taken.net) == ("chargeback", -6_000, 1_500, -7_500)
    assert (taken.subject, taken.stage, taken.theirs) == ("dis_1-1", "dispute", ("dp_1",))


def test_a_dispute_that_was_won_is_another_item_of_the_same_dispute() -> None:
    *_, taken, back = items_after(*PAID_BY_CARD, word(fee=1_500), word("won"))
    assert (taken.kind, back.kind, back.gross, back.theirs) == ("chargeback", "chargeback_reversed", 6_000, ("dp_1",))


def test_a_dispute_that_is_shared_anew_moves_nothing_at_the_channel() -> None:
    declined = refund_result(1, REFUND_DECLINED)
    items = items_after(*PAID_BY_CARD, refund(1_000), word(fee=1_500), declined)
    assert [(item.kind, item.status) for item in items] == [
        ("sale", "open"),
        ("chargeback", "open"),
        ("chargeback_reversed", "offset"),
    ]


def test_a_repayment_carries_its_channels_reference() -> None:
    items = items_after(*WITH_CREDIT, on_credit(), *paid_back(4_000))
    assert [(item.subject, item.ours, item.theirs) for item in items] == [
        ("rep_1", ("rep_1-1", "rep_1"), ("ch_rep_1",))
    ]


def test_an_exchanged_sale_says_what_it_is_owed_for() -> None:
    (item,) = items_after(*PAID_ABROAD)
    assert (item.currency, item.gross, item.worth, item.worth_currency, item.bearer) == (
        "EUR",
        10_000,
        12_500,
        "USD",
        "",
    )


def test_what_an_exchange_by_hand_leaves_of_the_fee_stays_open() -> None:
    (item,) = items_after(*PAID_ABROAD, SettleExchange("pay_1", 12_600))
    assert (item.gross, item.fee, item.status) == (0, 60, "open")
    (item,) = items_after(*PAID_ABROAD, SettleExchange("pay_1", 12_600, 70, batch="po_A 7"))
    assert item.status == "settled"
    assert item.settled is not None
    assert (item.settled.batch, item.settled.currency) == ("po_A 7", "USD")


def test_an_exchange_by_hand_is_about_what_was_exchanged_and_not_about_what_was_kept_apart() -> None:
    *_, paid = given(*PAID_ABROAD).stream("pay_1")
    kept = PaymentReceiptUnapplied("pay_1-1", CHANNEL, "ch_0", 10_000, "EUR", 60, "the payment is failed")
    story = (kept, paid.event, FxSettled("pay_1", CHANNEL, 10_000, "EUR", 12_600, "USD", accrued_fee=60))
    items: Items = {}
    for version, event in enumerate(story, 1):
        now = changes(items, Recorded("pay_1", version, version, NOON, event, Metadata("")))
        items |= {item.id: item for item in now}
    assert {item.theirs: item.status for item in items.values()} == {("ch_0",): "open", ("ch_1",): "settled"}
