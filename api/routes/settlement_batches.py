"""/reconciliation/batches: what a channel reported of each batch, what is due, and the bank's line that paid it."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import Path, Query
from starlette.responses import Response

from api.answers import answer
from api.dependencies import Calling, Cursor, Limit, MinPosition
from api.fields import DEFAULT_PAGE, Currency, Identifier, Name
from api.routing import Router
from ledger.errors import CurrencyUnknown, CursorInvalid, LimitRange, SettlementBatchNotFound
from ledger.events.event import entry_id_of
from projections.settlement_batches import (
    LINE,
    NO_BATCH,
    PAYMENT,
    ROW,
    BatchRow,
    BatchStatus,
    BatchSums,
    SettlementBatches,
    batch,
    batch_rows,
    batches,
)

router = Router("/v1/reconciliation/batches", "reconciliation")

_FIRST = 100
_ROLES = {"lines": LINE, "rows": ROW, "bank_lines": PAYMENT}

_SHOWN: dict[str, Any] = {
    "channel": "card_simulator",
    "currency": "EUR",
    "batch": "2026-11-20",
    "key": "2026-11-20",
    "account": "sys:1120:card_simulator:2026-11-20:eur",
    "status": "paid",
    "lines": 1,
    "gross": 6000,
    "fee": 36,
    "other": -500,
    "paid": 5464,
    "due": 0,
    "balance": 0,
    "holds": True,
    "borne_by_merchants": 0,
    "borne_by_us": 0,
    "tolerated": 0,
    "fee_difference": 0,
    "claimed": 0,
    "position": 30,
}
_LINE: dict[str, Any] = {
    "position": 30,
    "entry_id": "pay_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f.6",
    "stream": "pay_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f",
    "recorded_at": "2026-11-21T10:20:30.123456Z",
    "kind": "sale",
    "item": "pay_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f.5",
    "gross": 6000,
    "fee": 36,
    "net": 5964,
    "difference": 0,
    "difference_to": "",
    "fee_difference": 0,
    "claimed": 0,
    "file": "file_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f",
    "number": 1,
    "line": 2,
    "external_id": "ch_8f14e45fceea167a",
    "bank_line": "",
    "reason": "",
}
_BANK = "bank_line/main/8f14e45fceea167a8f14e45fceea167a"
_NO_ITEM = {"item": "", "fee": 0}
_PAGE: dict[str, Any] = {
    "batch": _SHOWN,
    "rows": [{**_LINE, **_NO_ITEM, "position": 31, "kind": "fee", "gross": -500, "net": -500, "number": 2, "line": 3}],
    "bank_lines": [
        {
            **_LINE,
            **_NO_ITEM,
            "position": 40,
            "entry_id": f"{_BANK}.1",
            "stream": _BANK,
            "kind": "bank_line",
            "gross": -5464,
            "net": -5464,
            "external_id": "",
            "bank_line": _BANK,
        }
    ],
    "data": [_LINE],
    "next_cursor": None,
}


class SettlementBatch(msgspec.Struct, frozen=True):
    """A batch of a channel, in minor units: `due` = gross - fee + other - paid, and its account stands at `balance`.

    `other`: rows of the batch as a whole, fees, reserves and the like. `holds`: both are the same. `key` is what it is
    called in addresses, where the channel calls it `batch`. Of what was reported otherwise than we have it, merchants
    bear a part, we bear one, and one was tolerated; `fee_difference` was kept beyond what was expected, and `claimed`
    is what we said should not have been.
    """

    channel: str
    currency: str
    batch: str
    key: str
    account: str
    status: BatchStatus
    lines: int
    gross: int
    fee: int
    other: int
    paid: int
    due: int
    balance: int
    holds: bool
    borne_by_merchants: int
    borne_by_us: int
    tolerated: int
    fee_difference: int
    claimed: int
    position: int


class SettlementBatchLine(msgspec.Struct, frozen=True):
    """What one event did to a batch: `net` becomes due by it, and where below 0, was paid or is taken off.

    `file` and `number` are the row of the report or the statement, `line` where it begins there.
    """

    position: int
    entry_id: str
    stream: str
    recorded_at: datetime
    kind: str
    item: str
    gross: int
    fee: int
    net: int
    difference: int
    difference_to: str
    fee_difference: int
    claimed: int
    file: str
    number: int
    line: int
    external_id: str
    bank_line: str
    reason: str


class SettlementBatchPage(msgspec.Struct, frozen=True):
    """A batch, its own rows and the bank's lines that paid it (a hundred at most), and a page of what was asked for."""

    batch: SettlementBatch
    rows: list[SettlementBatchLine]
    bank_lines: list[SettlementBatchLine]
    data: list[SettlementBatchLine]
    next_cursor: str | None = None


@router.reads(
    "",
    SettlementBatch,
    _SHOWN,
    scope="ledger:read",
    page=True,
    refuses=(CurrencyUnknown, CursorInvalid, LimitRange),
)
async def list_settlement_batches(
    caller: Calling,
    channel: Annotated[Identifier | None, Query(description="Only of this channel.")] = None,
    currency: Annotated[Currency | None, Query(description="Only in this currency.")] = None,
    status: Annotated[
        BatchStatus | None,
        Query(
            description="due: to be paid by the channel or to it; paid: the bank has shown it; empty: nothing is left."
        ),
    ] = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    min_position: MinPosition = None,
) -> Response:
    """List batches, in the order in which they were begun."""
    await caller.see(min_position, SettlementBatches.name)
    filters: dict[str, str | None] = {"channel": channel, "currency": currency, "status": status}
    place = (0, "") if cursor is None else caller.continue_after(cursor, "settlement_batches", filters)
    after = (int(place[0]), str(place[1]))
    async with caller.world.reading() as connection:
        found = await batches(connection, caller.book, filters, after=after, limit=limit + 1)
    return caller.page("settlement_batches", found, limit, lambda one: [one.position, one.account], filters, _batch)


@router.reads(
    "/{channel}/{currency}/{batch}",
    SettlementBatchPage,
    _PAGE,
    scope="ledger:read",
    refuses=(CurrencyUnknown, CursorInvalid, LimitRange, SettlementBatchNotFound),
)
async def get_settlement_batch(
    caller: Calling,
    channel: Identifier,
    currency: Currency,
    batch_: Annotated[Name, Path(alias="batch", description=f"Its key or name; `{NO_BATCH}`: without a batch.")],
    show: Annotated[Literal["lines", "rows", "bank_lines"], Query(description="What the page `data` is of.")] = "lines",
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    min_position: MinPosition = None,
) -> Response:
    """Show a batch down to the events: what was reported, with its rows, what else moved it, and who paid it."""
    await caller.see(min_position, SettlementBatches.name)
    filters = {"channel": channel, "currency": currency, "batch": batch_, "show": show}
    place = (0, -1) if cursor is None else caller.continue_after(cursor, "settlement_batch", filters)
    async with caller.world.snapshot() as connection:
        found = await batch(connection, caller.book, channel, currency, batch_)
        if found is None:
            raise SettlementBatchNotFound(channel=channel, currency=currency, batch=batch_)
        after = (int(place[0]), int(place[1]))
        data = await batch_rows(connection, caller.book, found.account, _ROLES[show], after=after, limit=limit + 1)
        rows = await batch_rows(connection, caller.book, found.account, ROW, limit=_FIRST)
        paid = await batch_rows(connection, caller.book, found.account, PAYMENT, limit=_FIRST)
    following = None
    if len(data) > limit:
        last = data[limit - 1]
        following = caller.next_cursor("settlement_batch", (last.position, last.nth), filters)
    shown = [_line(one) for one in data[:limit]]
    return answer(
        SettlementBatchPage(_batch(found), [_line(one) for one in rows], [_line(one) for one in paid], shown, following)
    )


def _batch(found: BatchSums) -> SettlementBatch:
    return SettlementBatch(
        channel=found.channel,
        currency=found.currency,
        batch=found.batch,
        key=found.key,
        account=found.account,
        status=found.status,
        lines=found.lines,
        gross=found.gross,
        fee=found.fee,
        other=found.other,
        paid=found.paid,
        due=found.due,
        balance=found.balance,
        holds=found.due == found.balance,
        borne_by_merchants=found.borne_by_merchants,
        borne_by_us=found.borne_by_us,
        tolerated=found.tolerated,
        fee_difference=found.fee_difference,
        claimed=found.claimed,
        position=found.position,
    )


def _line(row: BatchRow) -> SettlementBatchLine:
    kept, movement = row.kept, row.kept.movement
    return SettlementBatchLine(
        position=row.position,
        entry_id=entry_id_of(kept.stream, kept.version),
        stream=kept.stream,
        recorded_at=kept.at,
        kind=movement.kind,
        item=movement.item,
        gross=movement.gross,
        fee=movement.fee,
        net=movement.net,
        difference=movement.difference,
        difference_to=movement.difference_to,
        fee_difference=movement.fee_difference,
        claimed=movement.claimed,
        file=movement.file,
        number=movement.number,
        line=movement.line,
        external_id=movement.external_id,
        bank_line=movement.bank_line,
        reason=movement.reason,
    )
