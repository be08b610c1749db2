"""Injected: a day of any size in which everything agrees, and of each type of break exactly as many as are planted.

The generator says what has to be found, so that precision and recall can be counted.
"""

import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from ledger.matching.outcome import BreakType, Outcome
from ledger.matching.policy import Policy, Tolerance
from ledger.matching.sides import Item, Row, State

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
POLICY = Policy(amount=Tolerance(5), fee=Tolerance(2))
CURRENCIES = ("EUR", "USD", "CNY", "JPY")
HOT_AMOUNT = 9_99
_OLD_DAYS = (7, 20)
_LINES_OF_A_BATCH = 5
_ONE_WITHOUT_A_NAME_IN = 40

Ids = frozenset[str]
Planter = Callable[["Day"], Ids]


class Day:
    """Rows and items, and what has to come of them: by type of break, and by match, the ids that belong together."""

    def __init__(self, seed: int = 1) -> None:
        self.rows: list[Row] = []
        self.items: list[Item] = []
        self.breaks: dict[str, set[Ids]] = {}
        self.matches: set[Ids] = set()
        self.duplicates: set[str] = set()
        self.waiting: set[str] = set()
        self.quiet: set[str] = set()
        self._random = random.Random(seed)
        self._count = 0

    def agree(self) -> None:
        """A movement that both know: mostly by the channel's id, some by our reference, few by amount and card only."""
        number = self.next()
        currency, at = self._currency(), self.old()
        gross = HOT_AMOUNT if number % 3 == 0 else self._random.randint(1_00, 2_000_00)
        kind = "refund" if number % 7 == 0 else "sale"
        gross, fee = (-gross, 0) if kind == "refund" else (gross, gross // 100)
        known: dict[str, Any] = {"kind": kind, "currency": currency, "fee": fee}
        if number % _ONE_WITHOUT_A_NAME_IN == 0:
            row = self.row(gross, at=at + timedelta(days=1), external_id=f"ch_{number}", party=f"{number}", **known)
            item = self.item(gross, at=at, parties=(f"{number}",), **known)
        elif number % 4 == 0:
            item = self.item(gross, at=at, **known)
            row = self.row(gross, at=at, external_id=f"ch_{number}", our_reference=item.our_references[0], **known)
        else:
            item = self.item(gross, at=at, channel_references=(f"ch_{number}",), **known)
            row = self.row(gross, at=at, external_id=f"ch_{number}", **known)
        self.matches.add(frozenset((row.id, item.id)))

    def agree_with_a_batch(self) -> None:
        """A line of the bank that names a batch, and what we expect of it."""
        number, currency, at = self.next(), self._currency(), self.old()
        items = [
            self.item(self._random.randint(1, 500) * 1_000, currency=currency, at=at, fee=0, batch=f"po_{number}")
            for _ in range(_LINES_OF_A_BATCH)
        ]
        total = sum(item.gross for item in items)
        row = self.row(total, kind="credit", currency=currency, at=at, text=f"PAYOUT PO {number}0000 po_{number}")
        self.matches.add(frozenset((row.id, *(item.id for item in items))))

    def agree_in_parts(self) -> None:
        """One payment that the channel reports in two rows."""
        row, item = self.pair(40_00)
        rest = self.row(60_00, kind="sale", currency=row.currency, external_id=row.external_id, at=row.at, fee=60)
        self.items[-1] = replace(item, gross=100_00, fee=100)
        self.matches.add(frozenset((row.id, rest.id, item.id)))

    def agree_within_tolerance(self) -> None:
        row, item = self.pair(100_00)
        self.change_row(gross=row.gross - 3, fee=row.fee + 1)
        self.matches.add(frozenset((row.id, item.id)))

    def learn_by_evidence(self) -> None:
        """A payment of which nobody told us how it ended, and which the report shows."""
        row, item = self.pair(100_00, state="unknown")
        self.matches.add(frozenset((row.id, item.id)))

    def stand(self) -> None:
        row = self.row(-2_50, kind="fee", currency="EUR", external_id=f"fee_{self.next()}", at=self.old())
        self.matches.add(frozenset((row.id,)))

    def wait(self) -> None:
        """One of the last hours that only the channel knows, and one that only we know."""
        young = NOW - timedelta(hours=self._random.randint(1, 30))
        row = self.row(77_00, kind="sale", currency="EUR", external_id=f"ch_{self.next()}", at=young)
        item = self.item(88_00, at=young)
        self.waiting |= {row.id, item.id}

    def repeat(self) -> None:
        row, item = self.pair(100_00)
        copy = replace(row, id=f"g:{self.next()}", order=1)
        self.rows.append(copy)
        self.matches.add(frozenset((row.id, item.id)))
        self.duplicates.add(copy.id)

    def stay_quiet(self) -> None:
        self.quiet.add(self.item(55_00, at=self.old(), state="failed").id)

    def plant(self, what: BreakType) -> None:
        """One break of this type."""
        self.breaks.setdefault(what, set()).add(_PLANTERS[what](self))

    def pair(self, gross: int, state: State = "booked", **more: Any) -> tuple[Row, Item]:
        """A row and an item that agree, added last to both lists."""
        number, currency, at = self.next(), self._currency(), self.old()
        known = {"currency": currency, "at": at, "fee": gross // 100} | more
        item = self.item(gross, state=state, channel_references=(f"ch_{number}",), **known)
        return self.row(gross, external_id=f"ch_{number}", **known), item

    def row(self, gross: int, **more: Any) -> Row:
        known: dict[str, Any] = {"id": f"f:{self.next()}", "kind": "sale", "gross": gross}
        row = Row(**known | more)
        self.rows.append(row)
        return row

    def item(self, gross: int, **more: Any) -> Item:
        item_id = f"pay_{self.next()}"
        known = {
            "id": item_id,
            "stream": item_id,
            "kind": "sale",
            "currency": "EUR",
            "our_references": (f"{item_id}-1",),
        }
        item = Item(**known | {"gross": gross} | more)
        self.items.append(item)
        return item

    def old(self) -> datetime:
        return NOW - timedelta(days=self._random.randint(*_OLD_DAYS), minutes=self._random.randint(0, 1_000))

    def change_row(self, **changes: Any) -> Row:
        """Changes the row that was added last."""
        self.rows[-1] = replace(self.rows[-1], **changes)
        return self.rows[-1]

    def shuffle(self) -> None:
        self._random.shuffle(self.rows)
        self._random.shuffle(self.items)

    def next(self) -> int:
        self._count += 1
        return self._count

    def _currency(self) -> str:
        return self._random.choice(CURRENCIES)


def day_of(agreeing: int, k: int, seed: int = 1) -> Day:
    """About so many movements that agree, in the ways in which two sides can, and `k` of each type of break."""
    day = Day(seed)
    for _ in range(agreeing):
        day.agree()
    for _ in range(k):
        day.agree_with_a_batch()
        day.agree_in_parts()
        day.agree_within_tolerance()
        day.learn_by_evidence()
        day.stand()
        day.wait()
        day.repeat()
        day.stay_quiet()
        for what in _PLANTERS:
            day.plant(what)
    day.shuffle()
    return day


def differences(day: Day, told: Outcome) -> list[str]:
    """Everything that was told and not planted, or planted and not told; empty when precision and recall are 1."""
    found: dict[str, set[Ids]] = {}
    for one in told.breaks:
        found.setdefault(one.type, set()).add(frozenset((*one.rows, *one.items)))
    said = list[str]()
    for what in sorted({*found, *day.breaks}):
        said += _beside(what, found.get(what, set()), day.breaks.get(what, set()))
    said += _beside("match", {frozenset((*one.rows, *one.items)) for one in told.matches}, day.matches)
    said += _beside("waiting", {*told.waiting_rows, *told.waiting_items}, day.waiting)
    said += _beside("duplicate", {one.row for one in told.duplicates}, day.duplicates)
    quiet = sum(total.count for total in told.totals if total.state == "quiet")
    return said if quiet == len(day.quiet) else [*said, f"quiet: {quiet} of {len(day.quiet)}"]


def counts(told: Outcome) -> Counter[str]:
    return Counter(one.type for one in told.breaks)


def _beside(what: str, found: set[Any], planted: set[Any]) -> list[str]:
    false, missed = found - planted, planted - found
    return [f"{what}: {len(false)} false, {len(missed)} missed, e.g. {[*false, *missed][0]}"] if false | missed else []


def _missing_here(day: Day) -> Ids:
    return _ids(day.row(31_00, currency="EUR", external_id=f"ch_{day.next()}", our_reference="pay_x", at=day.old()))


def _missing_there(day: Day) -> Ids:
    return _ids(day.item(31_00, at=day.old(), channel_references=(f"ch_{day.next()}",)))


def _amount_ours_less(day: Day) -> Ids:
    row, item = day.pair(100_00)
    return _ids(day.change_row(gross=row.gross + 10_00), item)


def _amount_ours_more(day: Day) -> Ids:
    row, item = day.pair(100_00)
    return _ids(day.change_row(gross=row.gross - 10_00), item)


def _status_behind(day: Day) -> Ids:
    return _ids(*day.pair(100_00, state="failed"))


def _status_ahead(day: Day) -> Ids:
    row, item = day.pair(100_00)
    day.matches.add(_ids(row, item))
    back = {"kind": "reversed", "currency": row.currency, "about": row.external_id, "at": row.at}
    return _ids(day.row(-row.gross, external_id=f"ch_{day.next()}", **back))


def _fee(day: Day) -> Ids:
    row, item = day.pair(100_00)
    return _ids(day.change_row(fee=row.fee + 50), item)


def _currency(day: Day) -> Ids:
    _, item = day.pair(100_00, currency="EUR")
    return _ids(day.change_row(currency="USD"), item)


def _split(day: Day) -> Ids:
    row, item = day.pair(100_00)
    parts = day.change_row(gross=40_00), day.row(30_00, currency=row.currency, external_id=row.external_id, at=row.at)
    return _ids(*parts, item)


def _duplicate(day: Day) -> Ids:
    """The channel took the money twice for one attempt."""
    row, item = day.pair(100_00)
    day.matches.add(_ids(row, item))
    again = {"currency": row.currency, "fee": row.fee, "at": row.at, "our_reference": item.our_references[0]}
    return _ids(day.row(row.gross, external_id=f"ch_{day.next()}", **again))


def _payout_not_at_bank(day: Day) -> Ids:
    return _ids(day.item(5_000, kind="credit", at=day.old(), our_references=(f"po_{day.next()}",)))


def _bank_credit_unknown(day: Day) -> Ids:
    """No sum of what is expected, since all of that is whole thousands."""
    return _ids(day.row(10_007, kind="credit", currency="EUR", text="GIRO FROM NOBODY", at=day.old()))


def _bank_debit_unknown(day: Day) -> Ids:
    return _ids(day.row(-10_007, kind="debit", currency="EUR", our_reference=f"E2E{day.next()}", at=day.old()))


def _chargeback_without_dispute(day: Day) -> Ids:
    row, item = day.pair(100_00)
    day.matches.add(_ids(row, item))
    taken = {"kind": "chargeback", "currency": row.currency, "about": row.external_id, "at": row.at, "fee": 15_00}
    return _ids(day.row(-row.gross, external_id=f"dp_{day.next()}", **taken))


def _unknown_kind(day: Day) -> Ids:
    return _ids(day.row(3_33, kind="unknown", currency="EUR", external_id=f"x_{day.next()}", at=day.old()))


def _never_posted(day: Day) -> Ids:
    return _ids(day.row(44_44, kind="credit", currency="EUR", posted=False, at=day.old(), external_id=f"b{day.next()}"))


def _ids(*of: Row | Item) -> Ids:
    return frozenset(one.id for one in of)


_PLANTERS: dict[BreakType, Planter] = {
    "missing_here": _missing_here,
    "missing_there": _missing_there,
    "amount_ours_less": _amount_ours_less,
    "amount_ours_more": _amount_ours_more,
    "status_behind": _status_behind,
    "status_ahead": _status_ahead,
    "fee": _fee,
    "currency": _currency,
    "split": _split,
    "duplicate": _duplicate,
    "payout_not_at_bank": _payout_not_at_bank,
    "bank_credit_unknown": _bank_credit_unknown,
    "bank_debit_unknown": _bank_debit_unknown,
    "chargeback_without_dispute": _chargeback_without_dispute,
    "unknown_kind": _unknown_kind,
    "never_posted": _never_posted,
}
