"""Matcher: rows of reports beside our items, in passes whose order is fixed, to one outcome; pure and deterministic.

     rows, items ──▶ (a) exact id ─▶ (b) our reference ─▶ copies aside ─▶ (e) groups of one name
                                                                               │
     outcome ◀── (f) suggestions ◀── waiting, breaks ◀── (d) sums ◀── (c) amount, window, party

A name decides before an amount does: that is why groups of one name come before what has no name. No pass is a product
of two sides, and the result does not depend on the order of the input.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from ledger.matching.board import BROKEN, DUPLICATE, MATCHED, QUIET, WAITING, Board
from ledger.matching.left_over import judge_left_over
from ledger.matching.named import match_by_name
from ledger.matching.outcome import Match, Outcome, Rounding, SettledState, Total
from ledger.matching.policy import Policy
from ledger.matching.sides import Item, Row
from ledger.matching.suggestions import suggest
from ledger.matching.sums import match_by_batch, match_by_sum
from ledger.matching.windows import match_by_window

_STATES: dict[int, SettledState] = {
    MATCHED: "matched",
    WAITING: "waiting",
    BROKEN: "broken",
    DUPLICATE: "duplicate",
    QUIET: "quiet",
}


def match(
    rows: Iterable[Row], items: Iterable[Item], policy: Policy, now: datetime, earlier: Iterable[Match] = ()
) -> Outcome:
    """What rows and items come to at the instant `now`.

    `earlier` matches stay, whatever would be found today: with those of the last run, more rows only add to it. Their
    rows and items have to be among those given; without them (settled and gone from both sides) nothing has to be said.
    """
    board = Board(rows, items, policy, now)
    board.keep(earlier)
    match_by_name(board)
    named = match_by_batch(board)
    match_by_window(board)
    match_by_sum(board, named)
    judge_left_over(board)
    return _outcome(board)


def _outcome(board: Board) -> Outcome:
    breaks = sorted(board.breaks, key=lambda one: (one.type, one.rows, one.items))
    waiting_rows = [n for n, state in enumerate(board.row_states) if state == WAITING]
    waiting_items = [k for k, state in enumerate(board.item_states) if state == WAITING]
    row_places = {board.rows[n].id: n for n in _of_state(board.row_states, BROKEN)}
    item_places = {board.items[k].id: k for k in _of_state(board.item_states, BROKEN)}
    alone_rows = [row_places[one.rows[0]] for one in breaks if not one.items and len(one.rows) == 1]
    alone_items = [item_places[one.items[0]] for one in breaks if not one.rows]
    return Outcome(
        matches=tuple(board.matches[n] for n in sorted(board.matches)),
        waiting_rows=tuple(board.rows[n].id for n in waiting_rows),
        waiting_items=tuple(board.items[k].id for k in waiting_items),
        breaks=tuple(breaks),
        duplicates=tuple(sorted(board.duplicates, key=lambda one: one.row)),
        suggestions=suggest(board, sorted(alone_rows) + waiting_rows, sorted(alone_items + waiting_items)),
        roundings=_roundings(board),
        totals=_totals(board),
    )


def _of_state(states: bytearray, wanted: int) -> list[int]:
    return [place for place, state in enumerate(states) if state == wanted]


def _roundings(board: Board) -> tuple[Rounding, ...]:
    """Of each batch whose rows tell fees finer than the minor unit; a row that is a copy or only announced is none."""
    sums: dict[tuple[str, str], list[int]] = {}
    exact: dict[tuple[str, str], Decimal] = {}
    for n, row in enumerate(board.rows):
        if row.exact_fee is None or not row.posted or board.row_states[n] == DUPLICATE:
            continue
        batch = row.batch, row.fee_currency or row.currency
        so_far = sums.setdefault(batch, [0, 0, 0])
        so_far[0] += 1
        so_far[1] += row.fee
        so_far[2] += board.row_states[n] == MATCHED
        exact[batch] = exact.get(batch, Decimal(0)) + row.exact_fee
    return tuple(
        Rounding(*batch, rows, exact[batch].normalize(), fee, matched == rows)
        for batch, (rows, fee, matched) in sorted(sums.items())
    )


def _totals(board: Board) -> tuple[Total, ...]:
    sums: dict[tuple[str, int, str], list[int]] = {}
    for n, row in enumerate(board.rows):
        so_far = sums.setdefault(("rows", board.row_states[n], row.currency), [0, 0, 0])
        so_far[0] += 1
        so_far[1] += row.gross
        so_far[2] += 0 if row.fee_currency else row.fee
    for k, item in enumerate(board.items):
        so_far = sums.setdefault(("items", board.item_states[k], item.currency), [0, 0, 0])
        so_far[0] += 1
        so_far[1] += item.gross
        so_far[2] += item.fee or 0
    return tuple(
        Total("rows" if side == "rows" else "items", _STATES[state], currency, *so_far)
        for (side, state, currency), so_far in sorted(sums.items())
    )
