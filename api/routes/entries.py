"""/entries: journal entries of any shape, what takes them back, and what there is of both."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import ConfigDict, Field
from starlette.responses import Response

from api.access_log import Sensitive
from api.answers import Page, answer
from api.dependencies import Caller, Calling, Cursor, Limit, MinPosition, Rules, check_range
from api.fields import (
    DEFAULT_PAGE,
    AccountId,
    Amount,
    AmountParameter,
    Currency,
    Metadata,
    PeriodParameter,
    Reference,
    Request,
    Text500,
    TimeParameter,
    Timestamp,
)
from api.routes.transfers import POSTING_REFUSALS
from api.routing import Router
from commands.entries import EntryReceipt, PostEntry, ReverseEntry
from ledger.errors import (
    AccountProtected,
    AdjustmentMisplaced,
    AlreadyReversed,
    AmountOverflow,
    BalanceLimitExceeded,
    CursorInvalid,
    EffectiveDateInFuture,
    EntryNotFound,
    InsufficientFunds,
    LimitRange,
    PartialReversalAmbiguous,
    PeriodClosed,
    PeriodNotClosed,
    ReversalExceedsEntry,
    TimestampFormat,
    TimestampRange,
    TooFewPostings,
    TooManyPostings,
    Unbalanced,
)
from ledger.events.entries import Adjusting
from ledger.ids import ENTRY, new_id
from ledger.journal import MOST_POSTINGS, Direction, JournalEntry, Posting
from projections.entries import Entry, entries
from projections.entries import entry as find_entry
from projections.moments import BEGINNING, END
from projections.postings import Postings

router = Router("/v1/entries", "entries")
transfers_router = Router("/v1/transfers", "transfers")

_ID = "ent_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f"
_POSTINGS: list[dict[str, Any]] = [
    {"account": "cash", "direction": "debit", "amount": 1250, "currency": "EUR"},
    {"account": "sales", "direction": "credit", "amount": 1000, "currency": "EUR"},
    {"account": "vat", "direction": "credit", "amount": 250, "currency": "EUR"},
]
_EXAMPLE: dict[str, Any] = {"postings": _POSTINGS, "description": "Sale with VAT"}
_TIME = "2026-11-21T10:20:30.123456Z"
_RECORDED: dict[str, Any] = {
    "position": 17,
    "id": _ID,
    "postings": _POSTINGS,
    "effective_at": _TIME,
    "recorded_at": _TIME,
    "reference": None,
    "description": "Sale with VAT",
    "metadata": {},
    "reverses": None,
    "reason": None,
    "adjusting": None,
}
_SHOWN = {
    **_RECORDED,
    "topic": "entries.posted.v1",
    "reversed_by": [],
    "reversed_amounts": [0, 0, 0],
    "carries": None,
}


class PostingRequest(Request):
    """One line of an entry."""

    account: AccountId
    direction: Literal["debit", "credit"]
    amount: Amount
    currency: Currency


class AdjustingRequest(Request):
    """The closed period that the entry takes effect in, and why."""

    period: PeriodParameter
    reason: Annotated[Text500, Field(min_length=1)]

    def to_command(self) -> Adjusting:
        return Adjusting(self.period, self.reason)


class EntryRequest(Request):
    """2 to 100 postings whose debits equal their credits in each currency.

    With `adjusting` it takes effect in a closed period: at its last moment, or at `effective_at`. A second person has
    to agree to that.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    postings: Annotated[list[PostingRequest], Field(json_schema_extra={"minItems": 2, "maxItems": MOST_POSTINGS})]
    effective_at: Timestamp | None = None
    reference: Reference | None = None
    description: Text500 | None = None
    metadata: Metadata = {}
    adjusting: AdjustingRequest | None = None
    dry_run: bool = False

    def to_command(self) -> PostEntry:
        """Raises what keeps it from being an entry."""
        postings = tuple(Posting(p.account, Direction(p.direction), p.amount, p.currency) for p in self.postings)
        JournalEntry(postings)
        return PostEntry(
            new_id(ENTRY),
            postings,
            self.effective_at,
            self.reference,
            self.description,
            self.metadata,
            None if self.adjusting is None else self.adjusting.to_command(),
        )


class ReversalRequest(Request):
    """Without an amount all that is left is taken back; an amount is one of the entry's debits."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "Posted twice", "effective_at": "original"}]})

    reason: Text500
    effective_at: Timestamp | Literal["original"] | None = None
    amount: Amount | None = None
    adjusting: AdjustingRequest | None = None
    dry_run: bool = False


@router.writes(
    "",
    EntryReceipt,
    _RECORDED,
    scope="ledger:write",
    needs_two=True,
    refuses=(
        *POSTING_REFUSALS,
        Unbalanced,
        TooFewPostings,
        TooManyPostings,
        AmountOverflow,
        AdjustmentMisplaced,
        PeriodNotClosed,
    ),
    rules=Rules("ledger:write", takes_key=True, may_rehearse=True),
)
async def post_entry(asked: EntryRequest, caller: Calling) -> Response:
    """Post a journal entry. Limits are judged on its net effect on each account."""
    return await caller.carry_out(asked.to_command(), asked)


@router.writes(
    "/{entry}/reverse",
    EntryReceipt,
    {**_RECORDED, "reverses": _ID, "reason": "Posted twice", "description": None},
    scope="ledger:write",
    refuses=(
        EntryNotFound,
        AlreadyReversed,
        ReversalExceedsEntry,
        PartialReversalAmbiguous,
        AccountProtected,
        InsufficientFunds,
        BalanceLimitExceeded,
        EffectiveDateInFuture,
        PeriodClosed,
        PeriodNotClosed,
        AdjustmentMisplaced,
    ),
    needs_two=True,
    rules=Rules("ledger:write", takes_key=True, may_rehearse=True),
)
async def reverse_entry(entry: str, asked: ReversalRequest, caller: Calling) -> Response:
    """Take an entry back, whole or in part, by a new entry with the sides turned.

    `effective_at` may be `original`, the time of the entry itself. A reversal cannot be reversed.
    """
    adjusting = None if asked.adjusting is None else asked.adjusting.to_command()
    command = ReverseEntry(new_id(ENTRY), entry, asked.reason, asked.amount, asked.effective_at, adjusting)
    return await caller.carry_out(command, asked)


@router.reads("/{entry}", Entry, _SHOWN, scope="ledger:read", refuses=(EntryNotFound,), sensitive=Sensitive.NOTED)
async def show_entry(entry: str, caller: Calling, min_position: MinPosition = None) -> Response:
    """Show an entry, straight from the log: what it posted, and what was taken back of it."""
    return await _show(entry, caller, min_position)


@transfers_router.reads(
    "/{transfer}", Entry, _SHOWN, scope="ledger:read", refuses=(EntryNotFound,), sensitive=Sensitive.NOTED
)
async def show_transfer(transfer: str, caller: Calling, min_position: MinPosition = None) -> Response:
    """Show a transfer as the entry that it is."""
    return await _show(transfer, caller, min_position)


async def _show(name: str, caller: Caller, min_position: int | None) -> Response:
    await caller.see(min_position)
    async with caller.world.snapshot() as connection:
        found = await find_entry(connection, caller.book, name)
    if found is None:
        raise EntryNotFound
    return answer(found)


@router.reads(
    "",
    Entry,
    _SHOWN,
    scope="ledger:read",
    page=True,
    refuses=(CursorInvalid, LimitRange, TimestampFormat, TimestampRange),
    sensitive=Sensitive.NOTED,
)
async def list_entries(
    caller: Calling,
    account: Annotated[AccountId | None, Query(description="With a posting to this account.")] = None,
    reference: Annotated[Reference | None, Query(description="With this reference.")] = None,
    since: Annotated[TimeParameter | None, Query(alias="from", description="With effect from this time on.")] = None,
    until: Annotated[TimeParameter | None, Query(alias="to", description="With effect before this time.")] = None,
    min_amount: Annotated[AmountParameter | None, Query(description="With a posting of at least so much.")] = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    min_position: MinPosition = None,
) -> Response:
    """List entries in the order in which they were recorded.

    A part of the log is looked through at a time: a page may be short, or empty, and lead to a next one.
    """
    check_range(since, until)
    await caller.see(min_position, Postings.name)
    filters = {
        "account": account,
        "reference": reference,
        "from": _written(since),
        "to": _written(until),
        "min_amount": min_amount,
    }
    after = 0 if cursor is None else int(caller.continue_after(cursor, "entries", filters)[0])
    async with caller.world.snapshot() as connection:
        found = await entries(
            connection,
            caller.book,
            account=account,
            reference=reference,
            since=since or BEGINNING,
            until=until or END,
            min_amount=min_amount or 1,
            after=after,
            limit=limit,
        )
    following = None if found.next is None else caller.next_cursor("entries", [found.next], filters)
    return answer(Page(list(found.entries), following))


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
