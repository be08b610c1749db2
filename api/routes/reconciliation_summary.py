"""/reconciliation/summary: what agrees, what waits and what is broken, per channel or bank, day and currency."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, get_args

from fastapi import Query
from starlette.responses import Response

from api.access_log import Sensitive
from api.answers import answer
from api.dependencies import Calling, MinPosition
from api.fields import Day, Identifier
from api.routes.report_files import Source
from api.routing import Router
from commands.policies.reconciliation import is_bank
from ledger.errors import FieldInvalid, TimestampRange
from projections.reconciliation_summary import (
    BEGINNING,
    VIEWS,
    ReconciliationSummary,
    SummaryWanted,
    reconciliation_summary,
)

router = Router("/v1/reconciliation/summary", "reconciliation")

_DAYS = timedelta(days=30)
_MOST_DAYS = timedelta(days=366)
_BANKS = tuple(source for source in get_args(Source) if is_bank(source))

_NONE = {"rows": 0, "amount": 0}
_NO_BREAKS = {"breaks": 0, "at_risk": 0}
_EXAMPLE: dict[str, Any] = {
    "from": "2026-10-22",
    "to": "2026-11-21",
    "days": [
        {
            "source": "channel_csv",
            "account": "card_simulator",
            "day": "2026-11-20",
            "currency": "EUR",
            "matched": {"rows": 410, "amount": 512500},
            "waiting": {"rows": 1, "amount": 1250},
            "broken": {"rows": 1, "amount": 5800},
            "suspended": _NONE,
            "duplicate": _NONE,
            "announced": _NONE,
            "flows": _NONE,
        }
    ],
    "files": [
        {
            "source": "channel_csv",
            "account": "card_simulator",
            "day": "2026-11-21",
            "imported": 1,
            "flagged": 0,
            "refused": 0,
            "reading": 0,
            "rejected": 2,
        }
    ],
    "open_items": [
        {
            "side": "channel",
            "account": "card_simulator",
            "day": "2026-11-20",
            "currency": "EUR",
            "items": 1,
            "amount": 5964,
        }
    ],
    "breaks": [
        {
            "source": "channel_csv",
            "account": "card_simulator",
            "type": "amount_ours_more",
            "currency": "EUR",
            "total": {"breaks": 1, "at_risk": 200},
            "days_0_1": {"breaks": 1, "at_risk": 200},
            "days_2_3": _NO_BREAKS,
            "days_4_7": _NO_BREAKS,
            "days_8_up": _NO_BREAKS,
        }
    ],
    "at_risk": {"EUR": 200},
}


@router.reads(
    "", ReconciliationSummary, _EXAMPLE, scope="ledger:read", refuses=(TimestampRange,), sensitive=Sensitive.NOTED
)
async def show_reconciliation_summary(
    caller: Calling,
    source: Annotated[Source | None, Query(description="Only reports of this format.")] = None,
    account: Annotated[Identifier | None, Query(description="Only of this channel or bank account.")] = None,
    from_: Annotated[
        Day | None, Query(alias="from", description="From this day on; else 30 days before the last.")
    ] = None,
    to: Annotated[Day | None, Query(description="Up to this day, and it; else the day after today.")] = None,
    min_position: MinPosition = None,
) -> Response:
    """Sum up rows of reports by what became of them, our items that nobody reported, and breaks by their age.

    Rows count on the day of the report, files on the day on which they came (UTC). Open items and breaks are all there
    are, however old, unless `from` is given.
    """
    await caller.see(min_position, *VIEWS)
    today = datetime.now(UTC).date()
    # East of us it is tomorrow already.
    last = to or max(today, from_ or today) + timedelta(days=1)
    first = from_ or max(BEGINNING, last - _DAYS)
    if first > last:
        raise FieldInvalid("It ends before it begins.", pointer="/query/to")
    if last - first > _MOST_DAYS:
        raise FieldInvalid("A year at most is summed up at once.", pointer="/query/from")
    bank = None if source is None else is_bank(source)
    wanted = SummaryWanted(
        first,
        last,
        today,
        _BANKS,
        since=BEGINNING if from_ is None else from_,
        source=source,
        account=account,
        channel_side=bank is not True,
        bank_side=bank is not False,
    )
    async with caller.world.snapshot() as connection:
        found = await reconciliation_summary(connection, caller.book, wanted)
    return answer(found)
