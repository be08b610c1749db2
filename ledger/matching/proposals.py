"""Proposals: which rows of the table of postings would resolve a break, with their amounts; data, not postings."""

from ledger.matching.outcome import BreakType, Proposal
from ledger.matching.sides import BATCH_KINDS, Item, Row


def proposal_of(what: BreakType, rows: list[Row], items: list[Item], sums: tuple[int, int]) -> Proposal | None:
    """None where only a person can tell: another currency, a sum that does not add up, money that is merely late."""
    ours, theirs = sums
    currency = items[0].currency if items else rows[0].currency
    kind = rows[0].kind if rows else items[0].kind
    actual_fee = sum(row.fee for row in rows)
    expected_fee = sum(item.fee or 0 for item in items)
    match what:
        case "missing_here" | "status_behind" | "duplicate" if not theirs:
            return None
        case "missing_here" | "status_behind" if kind == "sale":
            return Proposal("K1", {"G": theirs, "Fa": actual_fee}, currency, then="A7")
        case "missing_here" | "unknown_kind" | "bank_credit_unknown" | "bank_debit_unknown":
            return _suspense(theirs, currency)
        case "missing_there" if kind == "sale" and items[0].state == "booked":
            return Proposal("K2", {"G": ours, "F": expected_fee}, currency)
        case "missing_there" if kind == "refund" and items[0].state == "booked":
            return Proposal("B6", {"R": -ours}, currency)
        case "amount_ours_more" | "amount_ours_less" if kind in BATCH_KINDS:
            return None  # Another sum than that of a payout is not the difference of one sale.
        case "amount_ours_more":
            return Proposal("K3", {"d": ours - theirs}, currency, then="A7")
        case "amount_ours_less":
            # More than we know of came in: it is kept apart, as what is missing here.
            return Proposal("K1", {"G": theirs - ours}, currency, then="A7")
        case "fee":
            row = "K6" if actual_fee > expected_fee else "A7"
            return Proposal(row, {"G": theirs, "F": expected_fee, "Fa": actual_fee}, currency)
        case "status_ahead" if rows[0].posted:
            return _taken_back(rows[0], currency)
        case "duplicate" if kind == "sale":
            return Proposal("J4", {"G": theirs, "Fa": actual_fee}, currency, then="A7")
        case "chargeback_without_dispute" if kind == "chargeback":
            return Proposal("C2", {"C": -theirs, "cf": actual_fee}, currency, then="C2r")
    return None


def _suspense(amount: int, currency: str) -> Proposal | None:
    if not amount:
        return None
    return Proposal("J5" if amount > 0 else "J6", {"x": abs(amount)}, currency)


def _taken_back(row: Row, currency: str) -> Proposal | None:
    match row.kind:
        case "reversed":
            return Proposal("B10", {"G": -row.gross, "F": -row.fee}, currency)
        case "refund_returned":
            return Proposal("B6", {"R": row.gross}, currency)
        case "payout_returned" | "credit":
            return Proposal("D4", {"P": abs(row.gross)}, currency)
    return None
