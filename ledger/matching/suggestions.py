"""Suggestions: pass (f), which row and item are alike, for people; nothing is ever matched by it.

Of 100 points the amount has 40, the day 20 and the names 40. The measure is our own and small: how many pairs of
neighbouring signs two names share (Dice). Looked at are only items of the same kind and currency that have the same
amount, the next higher or lower one, or a name that begins or ends alike, and of each of these a few.
"""

from bisect import bisect_left
from collections import Counter
from itertools import pairwise

from ledger.matching.board import Board
from ledger.matching.outcome import Suggestion
from ledger.matching.sides import Item, Row
from ledger.matching.spoken import plain

_OF_AMOUNT, _OF_DAY, _OF_NAMES = 40, 20, 40
_NEIGHBOURS = 3
_END = 6
"""Signs at either end of a name by which it is looked up."""
_MOST_NAMES = 6
_LONGEST_NAME = 64
_MOST_OF_ONE_ROW = 3

End = tuple[str, str, bool, str]


def suggest(board: Board, alone_rows: list[int], alone_items: list[int]) -> tuple[Suggestion, ...]:
    """The best three items for each row, best first; `suggested_rows` limits how many rows are seen to."""
    if not alone_rows or not alone_items:
        return ()
    amounts: dict[tuple[str, str], list[tuple[int, int]]] = {}
    ends: dict[End, list[int]] = {}
    for k in alone_items:
        item = board.items[k]
        amounts.setdefault((item.kind, item.currency), []).append((item.gross, k))
        for end in _ends(item.kind, item.currency, _names_of_item(item)):
            of_end = ends.setdefault(end, [])
            if len(of_end) < _NEIGHBOURS:
                of_end.append(k)
    for of_kind in amounts.values():
        of_kind.sort()
    suggestions = list[Suggestion]()
    for n in alone_rows[: board.policy.suggested_rows]:
        row = board.rows[n]
        near = amounts.get((row.kind, row.currency), [])
        place = bisect_left(near, (row.gross, -1))
        seen = {k for _, k in near[max(0, place - _NEIGHBOURS) : place + _NEIGHBOURS]}
        for end in _ends(row.kind, row.currency, _names_of_row(row)):
            seen.update(ends.get(end, ()))
        scored = sorted((-_score(board, n, k), board.items[k].id) for k in seen)
        suggestions += [
            Suggestion(row.id, item, -score)
            for score, item in scored[:_MOST_OF_ONE_ROW]
            if -score >= board.policy.suggested_from
        ]
    return tuple(suggestions)


def _score(board: Board, n: int, k: int) -> int:
    row, item = board.rows[n], board.items[k]
    largest = max(abs(row.gross), abs(item.gross))
    of_amount = _OF_AMOUNT - (_OF_AMOUNT * abs(row.gross - item.gross) * 5 // largest if largest else 0)
    row_day, item_day = board.day_of_row(n), board.day_of_item(k)
    of_day = 0
    if row_day and item_day:
        apart = abs(board.days.number(row_day) - board.days.number(item_day))
        of_day = _OF_DAY - _OF_DAY * apart // (board.policy.window_days * 2 + 1)
    alike = [_likeness(one, other) for one in _names_of_row(row) for other in _names_of_item(item)]
    of_names = _OF_NAMES * max(alike, default=0) // 100
    return max(0, of_amount) + max(0, of_day) + of_names


def _likeness(one: str, other: str) -> int:
    """0 to 100: how many of their pairs of neighbouring signs they share."""
    if one == other:
        return 100
    pairs, others = (Counter(pairwise(name)) for name in (one, other))
    all_pairs = pairs.total() + others.total()
    return 200 * (pairs & others).total() // all_pairs if all_pairs else 0


def _names_of_row(row: Row) -> list[str]:
    return _plain_names((row.external_id, row.our_reference, row.about, row.batch, row.bank_reference, row.party))


def _names_of_item(item: Item) -> list[str]:
    return _plain_names((*item.our_references, *item.channel_references, item.batch, *item.parties))


def _plain_names(names: tuple[str, ...]) -> list[str]:
    short = (plain(name)[:_LONGEST_NAME] for name in names if name)
    return list(dict.fromkeys(name for name in short if name))[:_MOST_NAMES]


def _ends(kind: str, currency: str, names: list[str]) -> list[End]:
    beginnings: list[End] = [(kind, currency, True, name[:_END]) for name in names if len(name) > _END]
    return beginnings + [(kind, currency, False, name[-_END:]) for name in names if len(name) > _END]
