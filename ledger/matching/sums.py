"""Sums: pass (d), one line for a batch or for a sum of few, and (e) where a batch comes in several lines.

A line is compared with what the items leave net. What a channel says it pays out is compared with its own rows of that
batch, since that money is on its way only when the bank shows it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence

from msgspec import Struct

from ledger.matching.board import DUPLICATE, OPEN, Board
from ledger.matching.outcome import Difference
from ledger.matching.sides import BATCH_KINDS, Row, is_name, net_of
from ledger.matching.spoken import SpokenNames

Batch = tuple[str, str]
"""Its id and its currency."""
Kind = tuple[str, str]
"""Of a line, and its currency."""
Window = tuple[Kind, int, int]
"""Which units a line sees."""


class Unit(Struct, frozen=True, gc=False):
    """What is paid as a whole, or not: the items of a batch, or one item that is in none."""

    day: int
    batch: str
    items: tuple[int, ...]
    net: int


def match_by_batch(board: Board) -> set[int]:
    """By the id of the batch; returns the lines that name one, whatever came of them.

    Comes before amounts are looked at: a line that names a batch is not another's of the same amount.
    """
    lines = _open_lines(board)
    return _settle_named_batches(board, lines, _open_batches(board)) if lines else set()


def match_by_sum(board: Board, named: set[int]) -> None:
    """What a channel pays out, by its rows; and by sums of few that can be only one."""
    lines = [n for n in _open_lines(board) if n not in named]
    if lines:
        _settle_payouts(board, lines)
        _settle_unique_sums(board, lines, _open_batches(board))


def _open_lines(board: Board) -> list[int]:
    return [n for n in board.open_rows() if board.rows[n].kind in BATCH_KINDS]


def _open_batches(board: Board) -> dict[Batch, list[int]]:
    batches = dict[Batch, list[int]]()
    for k in board.open_items():
        item = board.items[k]
        if item.batch and item.state == "booked":
            batches.setdefault((item.batch, item.currency), []).append(k)
    return batches


def _settle_named_batches(board: Board, lines: list[int], batches: Mapping[Batch, list[int]]) -> set[int]:
    """Returns the lines that name a batch, whatever came of them."""
    ids = dict.fromkeys(batch for batch, _ in batches)
    spoken = SpokenNames(ids)
    of_batches: dict[Batch, list[int]] = {}
    foreign: dict[str, list[int]] = {}
    for n in lines:
        row = board.rows[n]
        batch = next((name for name in _names_in_fields(row) if name in ids), "") or spoken.heard_in(
            row.our_reference, row.bank_reference, row.text
        )
        if batch and (batch, row.currency) in batches:
            of_batches.setdefault((batch, row.currency), []).append(n)
        elif batch:
            foreign.setdefault(batch, []).append(n)
    for (batch, currency), ns in of_batches.items():
        ks = batches[batch, currency]
        _settle_batch(board, ns, ks, sum(board.items[k].net for k in ks))
    rest: dict[str, list[int]] = {batch: [] for batch in foreign}
    for (batch, _), ks in batches.items():
        if batch in rest:
            rest[batch] += [k for k in ks if board.item_states[k] == OPEN]
    for batch, ns in foreign.items():
        if rest[batch]:
            board.break_off("currency", ns, rest[batch])
    return {n for ns in (*of_batches.values(), *foreign.values()) for n in ns}


def _names_in_fields(row: Row) -> tuple[str, ...]:
    return row.batch, row.bank_reference, row.our_reference, row.external_id


def _settle_batch(board: Board, ns: list[int], ks: list[int], ours: int) -> None:
    theirs, currency = sum(_paid(board.rows[n]) for n in ns), net_of(board.rows[ns[0]])[1]
    if board.policy.amount.allows(ours, theirs) and board.tolerates(currency, abs(theirs - ours)):
        differences = (Difference("amount", ours, theirs),) if ours != theirs else ()
        board.match(ns, ks, "batch" if len(ns) == 1 else "group", differences)
    elif any(board.may_wait(board.day_of_row(n)) for n in ns):
        board.wait(ns, ks)  # The rest of it may come in another line, or another file may tell of more.
    else:
        board.break_off("split", ns, ks, sums=(ours, theirs))


def _paid(row: Row) -> int:
    """What a line pays, in the sense of the items that wait for it: a channel that pays out owes less by that."""
    net, _ = net_of(row)
    return -net if row.kind.startswith("payout") else net


def _settle_payouts(board: Board, lines: list[int]) -> None:
    """A channel's payout beside its own rows of that batch: nothing of ours is settled by it."""
    payouts: dict[Batch, list[int]] = {}
    for n in lines:
        row = board.rows[n]
        if row.batch and row.kind == "payout" and board.row_states[n] == OPEN:
            payouts.setdefault((row.batch, net_of(row)[1]), []).append(n)
    if not payouts:
        return
    sums: dict[Batch, int] = {}
    for n, row in enumerate(board.rows):
        if row.batch and row.kind not in BATCH_KINDS and row.posted and board.row_states[n] != DUPLICATE:
            net, currency = net_of(row)
            if (row.batch, currency) in payouts:
                sums[row.batch, currency] = sums.get((row.batch, currency), 0) + net
    for batch, ns in payouts.items():
        _settle_batch(board, ns, [], sums.get(batch, 0))


def _settle_unique_sums(board: Board, lines: list[int], batches: Mapping[Batch, list[int]]) -> None:
    """Lines that name nothing: the one choice of few batches and items that comes to them, used by no other line."""
    lines = [n for n in lines if board.row_states[n] == OPEN and not board.rows[n].batch]
    if not lines or not board.policy.subset_units:
        return
    units = _units(board, batches)
    solutions: dict[int, list[Unit]] = {}
    uses: dict[tuple[int, ...], int] = {}
    for (kind, begin, end), ns in _by_window(board, lines, units).items():
        near = units[kind][begin:end]
        sums = unique_sums([unit.net for unit in near])
        for n in ns:
            mask = sums.get(_paid(board.rows[n]), 0)
            chosen = [unit for place, unit in enumerate(near) if mask > 0 and mask >> place & 1]
            if _is_sound(board, board.rows[n], chosen):
                solutions[n] = chosen
                for unit in chosen:
                    uses[unit.items] = uses.get(unit.items, 0) + 1
    for n, chosen in solutions.items():
        if all(uses[unit.items] == 1 for unit in chosen):
            board.match([n], sorted(k for unit in chosen for k in unit.items), "batch")


def _by_window(board: Board, lines: list[int], units: Mapping[Kind, list[Unit]]) -> dict[Window, list[int]]:
    """Lines that see the same few units: the sums of these are made once for all of them."""
    window = board.policy.window_days
    together: dict[Window, list[int]] = {}
    for n in lines:
        row, day = board.rows[n], board.day_of_row(n)
        near = units.get((row.kind, row.currency))
        if near is None or day is None or (row.kind == "debit" and is_name(row.our_reference)):
            continue
        number = board.days.number(day)
        begin = bisect_left(near, number - window, key=lambda unit: unit.day)
        end = bisect_right(near, number + window, key=lambda unit: unit.day)
        if 0 < end - begin <= board.policy.subset_units:
            together.setdefault(((row.kind, row.currency), begin, end), []).append(n)
    return together


def _units(board: Board, batches: Mapping[Batch, list[int]]) -> dict[Kind, list[Unit]]:
    """By kind of line and currency, sorted by day."""
    units: dict[Kind, list[Unit]] = {}
    for (batch, currency), ks in batches.items():
        days = [day for k in ks if (day := board.day_of_item(k)) is not None]
        if board.item_states[ks[0]] == OPEN and days:
            unit = Unit(board.days.number(max(days)), batch, tuple(ks), sum(board.items[k].net for k in ks))
            for kind in BATCH_KINDS:
                units.setdefault((kind, currency), []).append(unit)
    for k in board.open_items():
        item, day = board.items[k], board.day_of_item(k)
        if item.kind in BATCH_KINDS and not item.batch and item.state == "booked" and day is not None:
            unit = Unit(board.days.number(day), "", (k,), item.net)
            units.setdefault((item.kind, item.currency), []).append(unit)
    for of_kind in units.values():
        of_kind.sort(key=lambda unit: (unit.day, unit.items))
    return units


def unique_sums(amounts: Sequence[int]) -> dict[int, int]:
    """Each sum of some of them, with which these are, a bit for each; −1 where several choices come to it.

    Of n amounts there are up to 2^n sums.
    """
    sums = {0: 0}
    for place, amount in enumerate(amounts):
        for known, mask in list(sums.items()):
            total = known + amount
            if total in sums:
                sums[total] = -1
            else:
                sums[total] = mask | 1 << place if mask >= 0 else -1
    return sums


def _is_sound(board: Board, row: Row, chosen: list[Unit]) -> bool:
    """One item alone is for the window to judge; and nothing chosen may be of somebody else."""
    if not chosen or (len(chosen) == 1 and not chosen[0].batch):
        return False
    parties = [board.items[k].parties for unit in chosen for k in unit.items]
    return not row.party or all(not known or row.party in known for known in parties)
