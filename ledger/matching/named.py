"""Named: passes (a) and (b), rows that name an item, and (e), several rows and items of one name.

A row whose name is ours stays with that name: what differs from its item is a break, and never two that are missing.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from ledger.matching.board import ANNOUNCED, DUPLICATE, MATCHED, OPEN, SPOKEN_FOR, Board
from ledger.matching.outcome import Duplicate, FoundBy, Match
from ledger.matching.sides import BANK_KINDS, Row, is_name
from ledger.matching.spoken import SpokenNames

Name = tuple[str, str]
"""A kind, and what names an item of it."""


def match_by_name(board: Board) -> None:
    """Passes (a) and (b), then copies are set aside, then (e)."""
    _exactly(board, "exact_id", lambda row: row.external_id)
    said = _said_in_texts(board)
    _exactly(board, "reference", lambda row: said.get(row.id) or row.our_reference)
    _set_copies_aside(board)
    _in_groups(board, said)


def _exactly(board: Board, found_by: FoundBy, name_of: Callable[[Row], str]) -> None:
    """Same name, kind, currency and amount."""
    rows, items, names = board.rows, board.items, board.names
    row_states, item_states, matches = board.row_states, board.item_states, board.matches
    shared: dict[Name, list[int]] = {}
    for n, row in enumerate(rows):
        if row_states[n] != OPEN or row.kind not in names:
            continue
        name = name_of(row)
        found = names[row.kind].get(name)
        if found is None:
            continue
        if not isinstance(found, int):
            shared.setdefault((row.kind, name), []).append(n)
            continue
        item = items[found]
        if item_states[found] == OPEN and item.gross == row.gross and item.currency == row.currency:
            # Most are like this; the rest is for `settle`.
            if item.state == "booked" and (item.fee is None or item.fee == row.fee):
                matches[n] = Match((row.id,), (item.id,), found_by)
                row_states[n] = item_states[found] = MATCHED
            else:
                board.settle([n], [found], found_by)
    for (kind, name), ns in shared.items():
        _exactly_among(board, found_by, ns, board.named(kind, name))


def _exactly_among(board: Board, found_by: FoundBy, ns: list[int], ks: Sequence[int]) -> None:
    """Several items of one name: each row goes to the item that its other name names too, or else to the first."""
    of_amounts: dict[tuple[int, str], list[int]] = {}
    bearers = set(ks)
    others = list[int]()
    for n in ns:
        row = board.rows[n]
        both = [k for k in board.named(row.kind, row.our_reference)[:2] if k in bearers]
        k = both[0] if len(both) == 1 else -1
        if k >= 0 and board.item_states[k] == OPEN and _is_same_money(board, n, k):
            board.settle([n], [k], found_by)
        else:
            others.append(n)
    for k in reversed(ks):
        if board.item_states[k] == OPEN:
            of_amounts.setdefault((board.items[k].gross, board.items[k].currency), []).append(k)
    for n in others:
        row = board.rows[n]
        same = of_amounts.get((row.gross, row.currency))
        if same:
            board.settle([n], [same.pop()], found_by)


def _is_same_money(board: Board, n: int, k: int) -> bool:
    row, item = board.rows[n], board.items[k]
    return row.gross == item.gross and row.currency == item.currency


def _said_in_texts(board: Board) -> Mapping[str, str]:
    """By the id of a bank's line that names none of ours in its fields: what its text or its own reference names."""
    names = [name for kind in sorted(BANK_KINDS & {*board.names}) for name in board.names[kind]]
    spoken = SpokenNames(names)
    said: dict[str, str] = {}
    if not names:
        return said
    for n in board.open_rows():
        row = board.rows[n]
        if row.kind in BANK_KINDS and not board.named(row.kind, row.our_reference):
            heard = spoken.heard_in(row.our_reference, row.bank_reference, row.text)
            if heard and board.named(row.kind, heard):
                said[row.id] = heard
    return said


def _set_copies_aside(board: Board) -> None:
    """Rows that say in all what another row says, by its id too: the first of them counts, or the one that matched."""
    rows, states = board.rows, board.row_states
    names = {
        (row.kind, row.external_id)
        for n, row in enumerate(rows)
        if states[n] in (OPEN, ANNOUNCED) and is_name(row.external_id)
    }
    if not names:
        return
    firsts: dict[Row, int] = {}
    posted: dict[tuple[Name, int, str], int] = {}
    sums: dict[Name, int] = {}
    for n, row in enumerate(rows):
        name: Name = (row.kind, row.external_id)
        if name not in names or not row.posted:
            continue
        posted.setdefault((name, row.gross, row.currency), n)
        known = firsts.setdefault(_content(row), n)
        if states[n] == OPEN:
            sums[name] = sums.get(name, 0) + row.gross
        elif states[known] == OPEN:
            firsts[_content(row)] = n
    parts = {name for name, theirs in sums.items() if _add_up(board, name, theirs)}
    for n, row in enumerate(rows):
        name = (row.kind, row.external_id)
        if name not in names:
            continue
        if states[n] == ANNOUNCED:
            of = posted.get((name, row.gross, row.currency), n)
        elif states[n] == OPEN and name not in parts:
            of = firsts[_content(row)]
        else:
            continue
        if of != n:
            states[n] = DUPLICATE
            board.duplicates.append(Duplicate(row.id, rows[of].id))


def _content(row: Row) -> Row:
    return msgspec.structs.replace(row, id="", order=0)


def _add_up(board: Board, name: Name, theirs: int) -> bool:
    """Whether all open rows of a name together are its open items: then they are parts, however alike."""
    ks = [k for k in board.named(*name) if board.item_states[k] == OPEN]
    return bool(ks) and sum(board.items[k].gross for k in ks) == theirs


def _in_groups(board: Board, said: Mapping[str, str]) -> None:
    """Rows that name items and are not exactly one of them: sums are compared, and what differs is a break."""
    groups: dict[Name, list[int]] = {}
    still_open: dict[Name, bool] = {}
    for n in board.open_rows():
        row = board.rows[n]
        for reference in (row.external_id, said.get(row.id) or row.our_reference):
            name: Name = (row.kind, reference)
            if name not in still_open:
                ks = board.named(*name)
                if not ks:
                    continue
                still_open[name] = any(board.item_states[k] == OPEN for k in ks)
            board.row_states[n] = SPOKEN_FOR
            if still_open[name]:
                groups.setdefault(name, []).append(n)
                break
    for name, ns in groups.items():
        ks = [k for k in board.named(*name) if board.item_states[k] == OPEN]
        found_by: FoundBy = "exact_id" if board.rows[ns[0]].external_id == name[1] else "reference"
        _settle_group(board, ns, ks, found_by)


def _settle_group(board: Board, ns: list[int], ks: list[int], found_by: FoundBy) -> None:
    for currency in sorted({board.rows[n].currency for n in ns}):
        same_ns = [n for n in ns if board.rows[n].currency == currency]
        same_ks = [k for k in ks if board.items[k].currency == currency]
        if same_ks:
            board.settle(same_ns, same_ks, found_by if len(same_ns) == len(same_ks) == 1 else "group")
    other_ns = [n for n in ns if board.row_states[n] == SPOKEN_FOR]
    other_ks = [k for k in ks if board.item_states[k] == OPEN]
    if other_ns and other_ks:
        board.break_off("currency", other_ns, other_ks)
