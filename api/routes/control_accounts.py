"""/reconciliation/control-accounts: does what is open in each sub-ledger come to the balance in the journal?"""

from typing import Any

from starlette.responses import Response

from api.answers import answer
from api.dependencies import Calling, MinPosition
from api.routing import Router
from ledger.errors import NotCaughtUp
from projections.control_accounts import VIEWS, ControlAccounts, control_accounts

router = Router("/v1/reconciliation/control-accounts", "reconciliation")

_EXAMPLE: dict[str, Any] = {
    "holds": True,
    "position": 4700,
    "controls": [
        {
            "code": "1110",
            "name": "channel receivable",
            "currency": "EUR",
            "items": 2,
            "open": 11928,
            "balance": 11928,
            "different": 0,
            "differences": [],
            "holds": True,
        }
    ],
}


@router.reads("", ControlAccounts, _EXAMPLE, scope="ledger:read", refuses=(NotCaughtUp,))
async def show_control_accounts(caller: Calling, min_position: MinPosition = None) -> Response:
    """Show each sub-ledger, counted by events alone, beside the balance of the accounts that control it.

    Items of channels (1110), batches (1120), disputes (1230, 2140), wallet holds (2020), refunds (2210), payouts (2220,
    2230).
    """
    await caller.see(min_position, *VIEWS)
    async with caller.world.snapshot() as connection:
        found = await control_accounts(connection, caller.book)
    return answer(found)
