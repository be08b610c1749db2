"""/banks: where a payer of online banking may be sent, and what each bank takes."""

from typing import Annotated, Any

from fastapi import Query
from starlette.responses import Response

from api.answers import Page, answer
from api.dependencies import Calling, MinPosition
from api.fields import Currency
from api.routing import Router
from commands.policies.banks import BANKS, Bank

router = Router("/v1/banks", "payments")

_SHOWN: dict[str, Any] = {
    "code": "harbour",
    "name": "Harbour Bank",
    "country": "DE",
    "limits": [{"currency": "EUR", "least": 1, "most": 5_000_000}],
    "out": False,
}


@router.reads("", Bank, _SHOWN, scope="payments:read", page=True)
async def list_banks(
    caller: Calling,
    currency: Annotated[Currency | None, Query(description="That pay in this currency.")] = None,
    min_position: MinPosition = None,
) -> Response:
    """List the banks for `method.bank` of online banking, all on one page; one that is `out` takes nothing now."""
    await caller.see(min_position)
    return answer(Page([bank for bank in BANKS if currency is None or bank.limit(currency)]))
