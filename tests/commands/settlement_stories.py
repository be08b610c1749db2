"""What the stories about settlements are made of: the items of a story, the rows of a report, the lines of a bank."""

from typing import Any

from commands.bank_line_clearings import BatchName, ByBatches, Clearing
from commands.bank_lines import ClearBankLine
from commands.settlements import SettleLine, UndoSettlement
from ledger.events.bank_lines import BankLine
from ledger.events.settlements import RowPlace
from ledger.receivable_item import ReceivableItem, opening_stream
from ledger.receivable_items import changes
from tests.commands.given import Story
from tests.commands.stories import CHANNEL

BATCH = "2026-03-15"
PENDING = "sys:1120:card_simulator:2026-03-15:eur"
RESERVE_THERE = "sys:1130:card_simulator:eur"
CLAIMS = "sys:1910:card_simulator:eur"
TOO_LITTLE = "sys:2910:card_simulator:eur"
DIFFERENCES = "sys:5080:card_simulator:eur"
ROUNDING = "sys:5090:card_simulator:eur"
BANK = "sys:1020:main:eur"
BANK_FEES = "sys:5060:main:eur"
FILE = "file_1"


def items_of(story: Story) -> list[ReceivableItem]:
    """Every item of the story, in the order in which they were opened."""
    found: dict[str, ReceivableItem] = {}
    for recorded in story.log:
        stream = opening_stream(recorded.stream)
        own = {item.id: item for item in found.values() if item.stream == stream}
        found |= {item.id: item for item in changes(own, recorded)}
    return sorted(found.values(), key=lambda item: (item.position, item.id))


def item_of(story: Story, kind: str) -> ReceivableItem:
    """The last item of this kind."""
    return [item for item in items_of(story) if item.kind == kind][-1]


def place(number: int = 1) -> RowPlace:
    return RowPlace(FILE, number, number + 1, f"txn_{number}")


def line(item: ReceivableItem, /, **changed: Any) -> SettleLine:
    """The row that a report has of this item, but for what is said of it here."""
    told: dict[str, Any] = {
        "item": item.id,
        "row": place(),
        "kind": item.kind,
        "channel": item.channel,
        "currency": item.currency,
        "gross": item.gross,
        "fee": item.fee,
        "batch": BATCH,
    }
    return SettleLine(**{**told, **changed})


def settled(story: Story, kind: str = "sale", /, **changed: Any) -> Story:
    return story.given(line(item_of(story, kind), **changed))


def undo(item: ReceivableItem) -> UndoSettlement:
    return UndoSettlement(item.id, "another payment's")


def bank_line(amount: int, key: str = "stmt-1/1", **changed: Any) -> BankLine:
    return BankLine("main", key, amount, changed.pop("currency", "EUR"), place(), **changed)


def cleared(amount: int, by: Clearing, key: str = "stmt-1/1", **changed: Any) -> ClearBankLine:
    return ClearBankLine(bank_line(amount, key, **changed), by)


def by_batch(*batches: str, bank_fee: int = 0) -> ByBatches:
    return ByBatches(tuple(BatchName(CHANNEL, batch) for batch in batches or (BATCH,)), bank_fee)
