"""/reconciliation/safeguarding: is what we owe covered by client money and claims, in each currency?"""

from typing import Any

from starlette.responses import Response

from api.access_log import Sensitive
from api.answers import answer
from api.dependencies import AsOf, Calling, KnownAtParameter, MinPosition
from api.routing import Router
from ledger.errors import PositionNotReached, TimestampFormat
from projections.postings import Postings
from projections.safeguarding import Safeguarding, safeguarding

router = Router("/v1/reconciliation/safeguarding", "reconciliation")

_EXAMPLE: dict[str, Any] = {
    "holds": True,
    "currencies": [
        {
            "currency": "EUR",
            "claims": 11964,
            "obligations": 11880,
            "difference": 84,
            "holds": True,
            "assets": [
                {"code": "1020", "name": "bank client", "balance": 5964},
                {"code": "1110", "name": "channel receivable", "balance": 6000},
            ],
            "owed": [{"code": "2110", "name": "merchant pending", "balance": 11880}],
        }
    ],
    "position": 17,
}


@router.reads(
    "",
    Safeguarding,
    _EXAMPLE,
    scope="ledger:read",
    refuses=(PositionNotReached, TimestampFormat),
    sensitive=Sensitive.NOTED,
)
async def show_safeguarding(
    caller: Calling, as_of: AsOf = None, known_at: KnownAtParameter = None, min_position: MinPosition = None
) -> Response:
    """Show client money and claims against what we owe: `holds` where nothing is missing in any currency.

    1020, 1110, 1120, 1130, 1140, 1230 and coins in custody against 2010 to 2140, 2210 to 2235 and 2310.
    """
    past = as_of is not None or known_at is not None
    await caller.see(min_position, *((Postings.name,) if past else ()))
    await caller.know(known_at, Postings.name)
    async with caller.world.snapshot() if past else caller.world.reading() as connection:
        found = await safeguarding(connection, caller.book, as_of=as_of, known_at=known_at)
    return answer(found)
