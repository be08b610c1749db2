"""Left over: what nothing was found for; it stands for itself, waits for another day, or is a break."""

from collections.abc import Iterable

from ledger.matching.board import ANNOUNCED, OPEN, QUIET, SPOKEN_FOR, Board
from ledger.matching.outcome import BreakType
from ledger.matching.sides import BATCH_KINDS, TAKES_BACK, Row

_MOST_RELATED = 10
# Nothing of ours will ever come to be beside them.
_KINDS_WITHOUT_ITEMS = frozenset({"unknown", "adjustment", "fx", "fee", "reserve_held", "reserve_released"})


def judge_left_over(board: Board) -> None:
    """Rows first: an item whose row is only announced shares its fate."""
    _judge_announced(board)
    for n, row in enumerate(board.rows):
        state = board.row_states[n]
        if state not in (OPEN, SPOKEN_FOR):
            continue
        if row.kind in board.policy.standing_kinds:
            board.match([n], (), "standing")
        elif row.kind in _KINDS_WITHOUT_ITEMS:
            board.break_off("unknown_kind", [n], [])
        elif board.may_wait(board.day_of_row(n)):
            board.wait([n])
        else:
            related = _related(board, row)
            board.break_off(_type_of_row(row, state == SPOKEN_FOR, bool(related)), [n], [], related)
    batches: dict[tuple[str, str], list[int]] = {}
    for k in board.open_items():
        item = board.items[k]
        if item.state in ("failed", "optional"):
            board.item_states[k] = QUIET
        elif item.batch:
            batches.setdefault((item.batch, item.currency), []).append(k)
        elif board.may_wait(board.day_of_item(k)):
            board.wait([], [k])
        else:
            board.break_off("payout_not_at_bank" if item.kind in BATCH_KINDS else "missing_there", [], [k])
    for ks in batches.values():
        if any(board.may_wait(board.day_of_item(k)) for k in ks):
            board.wait([], ks)
        else:
            board.break_off("payout_not_at_bank", [], ks, sums=(sum(board.items[k].net for k in ks), 0))


def _judge_announced(board: Board) -> None:
    for n, state in enumerate(board.row_states):
        if state != ANNOUNCED:
            continue
        row = board.rows[n]
        ks = _open_only(board, row.kind, (row.external_id, row.our_reference))
        if board.may_wait(board.day_of_row(n)):
            board.wait([n], ks)
        else:
            booked = [k for k in ks if board.items[k].state == "booked"]
            board.break_off("status_ahead" if booked else "never_posted", [n], booked)


def _open_only(board: Board, kind: str, names: Iterable[str]) -> list[int]:
    """The item that is named, where it is one."""
    for name in names:
        ks = [k for k in board.named(kind, name)[:_MOST_RELATED] if board.item_states[k] == OPEN]
        if len(ks) == 1:
            return ks
    return []


def _related(board: Board, row: Row) -> list[int]:
    """What the row speaks of: items of its kind that have their row, or what it takes back."""
    for kind in (row.kind, TAKES_BACK.get(row.kind, "")):
        for name in (row.external_id, row.our_reference, row.about):
            if ks := board.named(kind, name):
                return list(ks[:_MOST_RELATED])
    return []


def _type_of_row(row: Row, names_settled: bool, has_related: bool) -> BreakType:
    match row.kind:
        case "chargeback" | "chargeback_reversed" if not names_settled:
            return "chargeback_without_dispute"
        case "reversed" | "refund_returned" | "payout_returned" | "credit" | "debit" if (
            has_related and not names_settled
        ):
            return "status_ahead"  # It has been taken back, or came back from where we had sent it.
        case "credit":
            return "bank_credit_unknown"
        case "debit":
            return "bank_debit_unknown"
    return "duplicate" if names_settled else "missing_here"
