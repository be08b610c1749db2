"""Orders of the past: how each stood at any position or time, as it was known then, alone and in lists."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from psycopg import Connection

from ledger import payment_state
from ledger.errors import PositionNotReached
from ledger.events.event import Recorded
from ledger.ids import PAYMENT
from ledger.payment_views import PaymentView, payment_view_of
from projections import past_streams
from projections.order_status import payment, payments_then, refund, top_up
from projections.past_streams import last_position
from tests.commands.stories import (
    DECLINED,
    PARTIES,
    attempt_of,
    by_card,
    charged,
    from_wallet,
    refund_result,
    refunded,
    topped_up,
)
from tests.commands.stories import refund as ask_refund
from tests.projections.reading import Reader
from tests.writing import Pen, read_log


@pytest.fixture
def log(held: Pen, database_url: str, book: str, keep_up: Callable[[], object]) -> list[Recorded]:
    """Some payments between one another, with a refund and a top-up; the views are caught up."""
    commands = [
        *PARTIES,
        *topped_up(10_000),
        *(by_card(f"pay_{number}") for number in range(1, 6)),
        attempt_of("pay_2", charged()),
        attempt_of("pay_3", DECLINED),
        from_wallet("pay_6", 1_000),
        attempt_of("pay_1", charged()),
        ask_refund(2_000),
        refund_result(1, refunded(2_000)),
    ]
    for command in commands:
        held.do(command)
    keep_up()
    with Connection.connect(database_url, autocommit=True) as connection:
        return read_log(connection, book)


def by_hand(log: list[Recorded], position: int) -> list[PaymentView]:
    """Every payment as the log up to a position makes it, in the order of their first events."""
    streams = dict.fromkeys(fact.stream for fact in log[:position] if fact.stream.startswith(PAYMENT))
    folded = (payment_state.fold([fact for fact in log[:position] if fact.stream == name]) for name in streams)
    return [payment_view_of(one) for one in folded if one is not None]


def every_page(reader: Reader, until: int, limit: int, status: str | None = None) -> list[PaymentView]:
    found: list[PaymentView] = []
    after: int | None = 0
    while after is not None:
        page, after = reader.ask(payments_then, until, status=status, after=after, limit=limit)
        assert len(page) <= limit
        found += [listed.payment for listed in page]
    return found


def test_at_every_position_each_order_and_the_list_of_them_is_what_the_log_up_to_there_makes_of_it(
    reader: Reader, log: list[Recorded]
) -> None:
    for position in range(len(log) + 1):
        expected = by_hand(log, position)
        assert every_page(reader, position, 2) == expected
        for one in expected:
            assert reader.ask(payment, one.id, known_at=position) == one
    assert {one.status for one in by_hand(log, len(log))} == {"succeeded", "failed", "processing"}


def test_a_list_of_the_past_is_by_the_status_that_was(
    reader: Reader, log: list[Recorded], monkeypatch: pytest.MonkeyPatch
) -> None:
    for most in (1_000, 2):  # Looked through in one part, and in many.
        monkeypatch.setattr(past_streams, "MOST_LOOKED_AT", most)
        for position in range(0, len(log) + 1, 3):
            for status in ("processing", "succeeded"):
                expected = [one for one in by_hand(log, position) if one.status == status]
                assert every_page(reader, position, 2, status) == expected


def test_both_axes_cut_what_is_seen_and_the_earlier_one_counts(reader: Reader, log: list[Recorded]) -> None:
    own = [fact for fact in log if fact.stream == "pay_1"]
    for early in own:
        for late in own:
            for as_of, known_at in ((early, late), (late, early)):
                found = reader.ask(payment, "pay_1", as_of=as_of.recorded_at, known_at=known_at.position)
                last = max(
                    fact.position
                    for fact in own
                    if fact.recorded_at <= as_of.recorded_at and fact.position <= known_at.position
                )
                assert found is not None
                assert found.position == last
                seen = reader.ask(last_position, as_of.recorded_at, known_at.position)
                assert seen is not None
                assert max(fact.position for fact in own if fact.position <= seen) == last
    just_before = own[0].recorded_at - timedelta(microseconds=1)
    assert reader.ask(payment, "pay_1", as_of=just_before) is None
    assert reader.ask(payment, "pay_1", known_at=just_before) is None
    assert reader.ask(last_position, None, None) is None


def test_refunds_and_top_ups_have_a_past_too(reader: Reader, log: list[Recorded]) -> None:
    states = [reader.ask(refund, "ref_1-1", known_at=position) for position in range(len(log) + 1)]
    assert list(dict.fromkeys(None if one is None else one.status for one in states)) == [
        None,
        "processing",
        "succeeded",
    ]
    tops = [reader.ask(top_up, "top_0", known_at=position) for position in range(len(log) + 1)]
    assert list(dict.fromkeys(None if one is None else one.status for one in tops)) == [None, "processing", "succeeded"]


def test_an_order_is_not_shown_as_it_is_known_at_a_position_that_the_log_does_not_have(
    reader: Reader, log: list[Recorded]
) -> None:
    for question, name in ((payment, "pay_1"), (refund, "ref_1-1"), (top_up, "top_0")):
        with pytest.raises(PositionNotReached):
            reader.ask(question, name, known_at=len(log) + 1)
