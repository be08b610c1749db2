"""/customers/…/erase: what was told of a customer is made unreadable for ever."""

from typing import Any

from pydantic import ConfigDict
from starlette.responses import Response

from api.dependencies import Calling
from api.fields import Identifier, Request, Text500
from api.keys import ADMIN
from api.routing import Router
from commands.erasure import EraseCustomer, ErasureReceipt
from ledger.errors import CustomerHasOpenMatters, CustomerNotFound
from ledger.store import read
from projections.audit_trail import AuditTrail
from projections.open_matters import accounts_with_money, open_matters

router = Router("/v1/customers", "customers")

_EXAMPLE: dict[str, Any] = {"reason": "asked for on 20 November", "legal_basis": "gdpr_17_1_b"}
_ERASED = {"position": 61, "id": "ann", **_EXAMPLE, "erased_at": "2026-11-21T10:20:30.123456Z"}


class ErasureRequest(Request):
    """Why, and on which legal basis. Both are kept for ever: write nothing personal into them."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    reason: Text500
    legal_basis: Identifier


@router.writes(
    "/{customer}/erase",
    ErasureReceipt,
    _ERASED,
    scope=ADMIN,
    status=200,
    refuses=(CustomerNotFound, CustomerHasOpenMatters),
)
async def erase_customer(customer: str, asked: ErasureRequest, caller: Calling) -> Response:
    """Erase a customer: name, metadata, addresses and whatever else was told of him reads `[erased]` from now on.

    Amounts, accounts and times stay, and so does the id. Refused while money of his is held, owed or on its way, or
    something of his is not decided; all of that is named in the answer. Nothing new can be begun for him.
    """
    async with caller.world.reading() as connection:
        end, _ = await read.head(connection, caller.book)
    await caller.see(end, AuditTrail.name)
    async with caller.world.snapshot() as connection:
        accounts = await accounts_with_money(connection, caller.book, customer)
        matters = await open_matters(connection, caller.book, customer)
    return await caller.carry_out(EraseCustomer(customer, asked.reason, asked.legal_basis, accounts, matters), asked)
