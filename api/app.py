"""The application: all routes behind one door, and the document that describes them."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api import item_batches
from api.answers import REPLAYED, Replayed
from api.description import describe
from api.problems import answer_exception, install, language_of, problem_response
from api.routes import (
    access,
    accounts,
    approvals,
    audit,
    audit_export,
    authorizations,
    banks,
    batches,
    breaks,
    channels,
    circuits,
    coins,
    collection_batches,
    confirmations,
    contracts,
    control_accounts,
    corrections,
    credit_lines,
    customers,
    disputes,
    entries,
    erasure,
    errands,
    events,
    fx,
    health,
    holds,
    journal,
    kept_callbacks,
    merchant_losses,
    merchants,
    payment_methods,
    payments,
    payout_batches,
    payouts,
    periods,
    principals,
    problems,
    receipts,
    receivable_flows,
    reconciliation,
    reconciliation_summary,
    refund_resolutions,
    report_files,
    reports,
    retries,
    reviews,
    risk,
    routing,
    safeguarding,
    sealed_log,
    settlement_batches,
    shares,
    top_ups,
    transfers,
    treasury,
    trial_balance,
    wallets,
    webhooks,
)
from api.routing import GuardedRoute
from api.surroundings import callback_path
from api.telemetry import Telemetry
from api.transport import Door
from api.wiring import World
from commands.channels.registry import ADAPTERS

VERSION = "0.1.0"
_ROUTERS = (
    transfers.router,
    batches.router,
    accounts.router,
    entries.router,
    entries.transfers_router,
    holds.router,
    trial_balance.router,
    events.router,
    audit.router,
    sealed_log.router,
    audit_export.router,
    access.router,
    periods.router,
    approvals.router,
    merchants.router,
    merchant_losses.router,
    customers.router,
    erasure.router,
    payment_methods.router,
    contracts.router,
    payments.router,
    payments.refunds_router,
    disputes.router,
    receipts.router,
    refund_resolutions.router,
    credit_lines.router,
    credit_lines.repayments_router,
    fx.router,
    coins.router,
    confirmations.router,
    authorizations.router,
    banks.router,
    top_ups.router,
    top_ups.top_ups_router,
    wallets.router,
    payouts.router,
    payout_batches.router,
    collection_batches.router,
    principals.router,
    treasury.router,
    shares.router,
    risk.router,
    reviews.router,
    channels.router,
    kept_callbacks.router,
    errands.router,
    circuits.router,
    report_files.router,
    reports.router,
    journal.router,
    reconciliation.router,
    breaks.router,
    reconciliation_summary.router,
    settlement_batches.router,
    receivable_flows.router,
    control_accounts.router,
    safeguarding.router,
    retries.router,
    corrections.router,
    routing.router,
    webhooks.router,
    problems.router,
    health.router,
)
_RULES = {
    report_files.FILES: report_files.BODY_RULE,
    "/v1/batches": batches.BODY_RULE,
    "/v1/payout-batches": item_batches.BODY_RULE,
    "/v1/collection-batches": item_batches.BODY_RULE,
} | {callback_path(name): channels.BODY_RULE for name in ADAPTERS}
_DESCRIPTION = """\
A double-entry payment ledger. Amounts are whole numbers of minor units; times are RFC 3339 with their offset.

Every POST carries an `Idempotency-Key`: the same key and body again are answered with the first answer again, for ever.
Every write answers with `Ledger-Position`, and every GET takes it as `min_position` to be sure to see that write.
Refusals are `application/problem+json`; decide by their `code`. `GET /v1/problems` lists all of them; their texts are
English or, with `Accept-Language: zh`, Chinese.
"""


class Service:
    """The whole service as one ASGI application; `world` is opened when the server starts."""

    def __init__(self, opened: Callable[[], AbstractAsyncContextManager[World]]) -> None:
        self._opened = opened
        self.api = make_api(self._lifespan)
        self._door = Door(Shortcut(self.api), rules=_RULES)
        self._outermost: ASGIApp = self._door

    @asynccontextmanager
    async def _lifespan(self, api: FastAPI) -> AsyncIterator[None]:
        async with self._opened() as world:
            api.state.world = world
            self._outermost = Telemetry(self._door, world.metrics)
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._outermost(scope, receive, send)


class Shortcut:
    """Leads to the thin routes past FastAPI's middleware and router, which cost more than the rest of a small write.

    Everything else goes on to the application, and so would they: it has them too, with the same rules.
    """

    def __init__(self, api: FastAPI) -> None:
        self._api = api
        thin = [route for route in api.routes if isinstance(route, GuardedRoute) and route.rules.thin]
        self._routes = {route.path: route for route in thin if not route.param_convertors}
        self._patterns = [route for route in thin if route.param_convertors]

    def _route_to(self, path: str) -> tuple[GuardedRoute, dict[str, str]] | None:
        """The thin route that this path leads to, and what stands in the path."""
        if (route := self._routes.get(path)) is not None:
            return route, {}
        for route in self._patterns:
            if (found := route.path_regex.match(path)) is not None:
                return route, found.groupdict()
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._route_to(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if found is None:
            await self._api(scope, receive, send)
            return
        route, scope["path_params"] = found
        scope["app"], scope["route"] = self._api, route
        request = Request(scope, receive)
        try:
            response = await route.answer(request)
        except Replayed as again:
            response = await _answer_again(request, again)
        except Exception as error:
            response = await answer_exception(request, error)
        await response(scope, receive, send)


def make_api(lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None) -> FastAPI:
    """The routes; without a lifespan they can be described and not called."""
    api = FastAPI(
        title="Ledger",
        version=VERSION,
        description=_DESCRIPTION,
        lifespan=lifespan,
        # The pages would load their scripts from strangers.
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        redirect_slashes=False,
    )
    install(api)
    api.add_exception_handler(Replayed, _answer_again)
    for router in _ROUTERS:
        api.router.routes.extend(router.routes)
    document = cache(lambda: describe(api))
    api.openapi = document  # type: ignore[method-assign]
    return api


async def _answer_again(request: Request, error: Exception) -> Response:
    if not isinstance(error, Replayed):
        raise AssertionError(f"not a replay: {error!r}")
    return problem_response(error.refusal, {REPLAYED: "true"}, language_of(request.scope))
