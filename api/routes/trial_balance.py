"""/trial-balance: do all accounts together sum to zero, in each currency?"""

from starlette.responses import Response

from api.access_log import Sensitive
from api.answers import answer
from api.dependencies import AsOf, Calling, KnownAtParameter, MinPosition
from api.routing import Router
from ledger.errors import PositionNotReached, TimestampFormat
from projections.postings import Postings
from projections.trial_balance import TrialBalance, trial_balance

router = Router("/v1/trial-balance", "trial balance")

_EXAMPLE = {
    "currencies": {"EUR": {"debits": 1250, "credits": 1250, "difference": 0}},
    "accounts": [
        {"account": "cash", "kind": "asset", "currency": "EUR", "debits": 1250, "credits": 0, "balance": 1250},
        {
            "account": "customer:17",
            "kind": "liability",
            "currency": "EUR",
            "debits": 0,
            "credits": 1250,
            "balance": 1250,
        },
    ],
    "position": 17,
}


@router.reads(
    "",
    TrialBalance,
    _EXAMPLE,
    scope="ledger:read",
    refuses=(PositionNotReached, TimestampFormat),
    sensitive=Sensitive.NOTED,
)
async def show_trial_balance(
    caller: Calling, as_of: AsOf = None, known_at: KnownAtParameter = None, min_position: MinPosition = None
) -> Response:
    """Show the balances of all accounts and their sums, whose difference is zero in each currency."""
    past = as_of is not None or known_at is not None
    views = (Postings.name,) if past else ()
    await caller.see(min_position, *views)
    await caller.know(known_at, Postings.name)
    async with caller.world.snapshot() if past else caller.world.reading() as connection:
        found = await trial_balance(connection, caller.book, as_of=as_of, known_at=known_at)
    return answer(found)
