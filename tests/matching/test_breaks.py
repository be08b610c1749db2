"""Breaks: what it is called, who knows of it, what may be lost, and which posting would resolve it."""

from collections.abc import Mapping

import pytest

from ledger.matching.policy import Policy
from ledger.matching.sides import Item, Row
from tests.matching.given import LONG_AGO, item, only_break, outcome, row

PAYOUT = item("po_12345", -5, kind="debit")
KNOWN = item("pay_1", 10_00, "c", fee=0)


@pytest.mark.parametrize(
    ("what", "side", "at_risk", "posting", "amounts", "rows", "items"),
    [
        ("missing_here", "theirs", 10_00, "K1", {"G": 10_00, "Fa": 30}, [row(external_id="c", fee=30)], []),
        ("missing_here", "theirs", 4, "J6", {"x": 4}, [row(gross=-4, kind="refund", external_id="r")], []),
        ("missing_there", "ours", 10_00, "K2", {"G": 10_00, "F": 30}, [], [item(fee=30)]),
        ("missing_there", "ours", 4, "B6", {"R": 4}, [], [item("ref_1", -4, kind="refund")]),
        ("missing_there", "ours", 10_00, "", {}, [], [item(state="unknown")]),
        ("amount_ours_more", "both", 1_00, "K3", {"d": 1_00}, [row(gross=9_00, external_id="c")], [KNOWN]),
        ("amount_ours_less", "both", 1_00, "K1", {"G": 1_00}, [row(gross=11_00, external_id="c")], [KNOWN]),
        ("amount_ours_more", "both", 1_00, "K3", {"d": 1_00}, [row(gross=9_00, our_reference="pay_1")], [KNOWN]),
        (
            "status_behind",
            "both",
            10_00,
            "K1",
            {"G": 10_00, "Fa": 0},
            [row(external_id="c")],
            [item("p", 10_00, "c", state="failed")],
        ),
        ("fee", "both", 50, "K6", {"G": 10_00, "F": 0, "Fa": 50}, [row(external_id="c", fee=50)], [KNOWN]),
        ("fee", "both", 50, "A7", {"G": 10_00, "F": 0, "Fa": -50}, [row(external_id="c", fee=-50)], [KNOWN]),
        ("currency", "both", 10_00, "", {}, [row(external_id="c", currency="USD")], [KNOWN]),
        (
            "split",
            "both",
            3_00,
            "",
            {},
            [row("f:1", 4_00, external_id="c"), row("f:2", 3_00, external_id="c")],
            [KNOWN],
        ),
        ("split", "both", 2, "", {}, [row(gross=8, kind="credit", batch="b")], [item("i", 12, batch="b", fee=2)]),
        ("missing_there", "ours", 4, "", {}, [], [item("ref_1", -4, kind="refund", state="unknown")]),
        ("missing_there", "ours", 4, "", {}, [], [item("cb_1", -4, kind="chargeback")]),
        ("amount_ours_less", "both", 2, "", {}, [row(gross=-3, kind="debit", text="to po_12345")], [PAYOUT]),
        ("missing_here", "theirs", 9, "J6", {"x": 9}, [row(gross=-9, kind="payout")], []),
        ("bank_credit_unknown", "theirs", 9, "J5", {"x": 9}, [row(gross=9, kind="credit", batch="theirs")], []),
        ("split", "both", 2, "", {}, [row(gross=8, kind="credit", batch="b")], [item("i", 10, batch="b")]),
        (
            "currency",
            "both",
            9,
            "",
            {},
            [row(gross=9, kind="credit", batch="b", currency="USD")],
            [item("i", 9, batch="b")],
        ),
        ("split", "theirs", 9, "", {}, [row(gross=-9, kind="payout", batch="b")], []),
        ("payout_not_at_bank", "ours", 10_00, "", {}, [], [item(kind="credit")]),
        ("payout_not_at_bank", "ours", 25, "", {}, [], [item("a", 10, batch="b"), item("b", 15, batch="b")]),
        ("bank_credit_unknown", "theirs", 10_00, "J5", {"x": 10_00}, [row(kind="credit")], []),
        ("bank_debit_unknown", "theirs", 10_00, "J6", {"x": 10_00}, [row(kind="debit", gross=-10_00)], []),
        ("unknown_kind", "theirs", 5, "J5", {"x": 5}, [row(gross=5, kind="unknown")], []),
        ("unknown_kind", "theirs", 5, "J6", {"x": 5}, [row(gross=-5, kind="adjustment")], []),
        ("unknown_kind", "theirs", 0, "", {}, [row(gross=0, kind="fx")], []),
        ("never_posted", "theirs", 10_00, "", {}, [row(kind="credit", posted=False)], []),
        ("status_ahead", "both", 10_00, "", {}, [row(external_id="c", posted=False)], [KNOWN]),
        (
            "chargeback_without_dispute",
            "theirs",
            10_00,
            "C2",
            {"C": 10_00, "cf": 15_00},
            [row(gross=-10_00, fee=15_00, kind="chargeback", external_id="dp_1")],
            [],
        ),
    ],
)
def test_a_break_says_what_it_is_and_what_would_resolve_it(
    what: str, side: str, at_risk: int, posting: str, amounts: Mapping[str, int], rows: list[Row], items: list[Item]
) -> None:
    one = only_break(outcome(rows, items))
    assert (one.type, one.side, one.at_risk) == (what, side, at_risk)
    assert (one.rows, one.items) == (tuple(r.id for r in rows), tuple(i.id for i in items))
    assert (one.proposal.row if one.proposal else "", one.proposal.amounts if one.proposal else {}) == (
        posting,
        amounts,
    )
    assert one.since == LONG_AGO.date()


@pytest.mark.parametrize(
    ("kind", "posting", "taken_back"),
    [
        ("reversed", "B10", item("pay_1", 10_00, "c")),
        ("refund_returned", "B6", item("ref_1", 10_00, "c", kind="refund")),
        ("payout_returned", "D4", item("po_1", 10_00, "c", kind="payout")),
        ("credit", "D4", item("po_1", 10_00, "c", kind="debit")),
    ],
)
def test_what_the_channel_took_back_and_we_did_not_is_a_status_ahead(kind: str, posting: str, taken_back: Item) -> None:
    rows = [
        row("f:1", kind=taken_back.kind, external_id="c"),
        row("f:2", -10_00, kind=kind, about="c", external_id="d"),
    ]
    told = outcome(rows, [taken_back])
    one = only_break(told)
    assert (one.type, one.rows, one.items, one.related) == ("status_ahead", ("f:2",), (), (taken_back.id,))
    assert one.proposal
    assert one.proposal.row == posting
    assert len(told.matches) == 1


@pytest.mark.parametrize("kind", ["reversed", "refund_returned"])
def test_what_takes_back_a_thing_we_never_had_is_missing_here(kind: str) -> None:
    assert only_break(outcome([row(gross=-10_00, kind=kind, about="c")], [])).type == "missing_here"


def test_totals_say_how_many_and_how_much_is_in_which_state() -> None:
    rows = [row("f:1", 10, external_id="c", fee=1), row("f:2", 7, fee=2, fee_currency="USD"), row("f:3", 5, fee=3)]
    totals = outcome(rows, [item("p", 10, "c", fee=1), item("q", 3, fee=None)]).totals
    assert [(one.side, one.state, one.count, one.gross, one.fee) for one in totals] == [
        ("items", "matched", 1, 10, 1),
        ("items", "broken", 1, 3, 0),
        ("rows", "matched", 1, 10, 1),
        ("rows", "broken", 2, 12, 3),
    ]


def test_an_earlier_match_has_to_be_of_what_is_here() -> None:
    rows, items = [row(external_id="c")], [item("p", 10_00, "c")]
    matches = outcome(rows, items).matches
    assert outcome(rows, items, earlier=matches).matches == matches
    with pytest.raises(AssertionError, match="not here"):
        outcome(rows, [], earlier=matches)
    with pytest.raises(AssertionError, match="another one holds"):
        outcome(rows, items, earlier=[*matches, *matches])


@pytest.mark.parametrize("rows", [[row(), row()], [row(order=1), row("f:2"), row(order=3)]])
def test_two_rows_of_one_id_are_refused(rows: list[Row]) -> None:
    with pytest.raises(AssertionError, match="of one id"):
        outcome(rows, [])


def test_what_we_took_back_too_matches() -> None:
    items = [item("pay_1", 10_00, "c"), item("void_1", -10_00, "c", kind="reversed")]
    told = outcome([row("f:1", external_id="c"), row("f:2", -10_00, kind="reversed", external_id="c")], items)
    assert len(told.matches) == 2
    assert not told.breaks


def test_a_row_again_is_a_duplicate_and_never_posted() -> None:
    told = outcome([row("f:1", external_id="c"), row("g:7", external_id="c", order=1)], [item("pay_1", 10_00, "c")])
    assert [(one.row, one.of) for one in told.duplicates] == [("g:7", "f:1")]
    assert [one.rows for one in told.matches] == [("f:1",)]
    assert not told.breaks


def test_a_row_again_is_the_one_of_the_later_file_whatever_its_name() -> None:
    told = outcome([row("a:1", external_id="c", order=2), row("z:1", external_id="c", order=1)], [])
    assert [(one.row, one.of) for one in told.duplicates] == [("a:1", "z:1")]
    assert [one.rows for one in told.breaks] == [("z:1",)]


def test_a_row_of_nothing_again_is_a_duplicate_too() -> None:
    told = outcome([row("f:1", 0, external_id="c"), row("f:2", 0, external_id="c")], [])
    assert [(one.row, one.of) for one in told.duplicates] == [("f:2", "f:1")]
    assert only_break(told).proposal is None


def test_what_is_taken_back_twice_is_taken_back_once_too_often() -> None:
    rows = [row(f"f:{n}", -10_00, kind="reversed", external_id=f"r{n}", our_reference="void") for n in (1, 2)]
    told = outcome(rows, [item("void", -10_00, kind="reversed")])
    assert only_break(told).type == "duplicate"


def test_lines_without_an_id_are_never_taken_for_one_another() -> None:
    told = outcome([row("f:1", kind="credit"), row("f:2", kind="credit")], [])
    assert not told.duplicates
    assert len(told.breaks) == 2


def test_an_announced_row_gives_way_to_the_posted_one() -> None:
    rows = [
        row("f:1", kind="credit", external_id="b", posted=False),
        row("g:1", kind="credit", external_id="b", order=1),
    ]
    told = outcome(rows, [item("x", 10_00, "b", kind="credit")])
    assert [(one.row, one.of) for one in told.duplicates] == [("f:1", "g:1")]
    assert [one.rows for one in told.matches] == [("g:1",)]


def test_a_second_success_of_one_attempt_is_a_double_payment() -> None:
    rows = [row("f:1", external_id="c"), row("f:2", external_id="d", our_reference="pay_1")]
    one = only_break(outcome(rows, [item("pay_1", 10_00, "c")]))
    assert (one.type, one.rows, one.related) == ("duplicate", ("f:2",), ("pay_1",))
    assert one.proposal
    assert (one.proposal.row, one.proposal.then) == ("J4", "A7")


def test_a_failed_payment_of_which_the_report_says_nothing_is_no_break() -> None:
    told = outcome([], [item(state="failed")])
    assert not told.breaks
    assert [(one.side, one.state, one.count) for one in told.totals] == [("items", "quiet", 1)]


def test_reserves_are_breaks_where_the_policy_does_not_let_them_stand() -> None:
    policy = Policy(standing_kinds=frozenset())
    assert only_break(outcome([row(gross=-5, kind="reserve_held")], [], policy)).type == "unknown_kind"


def test_the_key_of_a_break_stays_while_it_is_the_same() -> None:
    one, again = (only_break(outcome([row(external_id="c", fee=fee)], [])) for fee in (1, 2))
    other = only_break(outcome([row("f:2", external_id="c")], []))
    assert one.key == again.key != other.key
