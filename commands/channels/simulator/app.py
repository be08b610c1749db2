"""The simulator over HTTP: all channels behind one address, the payer's page, and whoever drives it.

/<channel>/…                       the channel's own interface, signed; the first channel answers at the root as well
/<channel>/books, faults, callbacks, /control/…, /payer/{reference}, /health     see the package's first page
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, date, datetime
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from commands.channels.simulator.agreements import DisputeOrder
from commands.channels.simulator.books import Books, PayerWord
from commands.channels.simulator.callbacks import now_ms
from commands.channels.simulator.chain import CoinsOrder
from commands.channels.simulator.desk import Desk, plain, whole_body
from commands.channels.simulator.faults import FaultPlan
from commands.channels.simulator.operations import Operation, Refused
from commands.channels.simulator.payer_page import payer_routes

_Known = Literal["charge", "refund", "payout", "contract"]
_Shape = TypeVar("_Shape", bound=Struct)
_WORDS: dict[str, PayerWord] = {
    "approve": "approve",
    "refuse": "refuse",
    "expire": "expire",
    "succeed": "succeed",
}


class _Until(Struct, frozen=True, forbid_unknown_fields=True):
    at: Annotated[datetime, Meta(tz=True)]


class Simulator:
    """The routes over all desks; the first of them is also the one at the root."""

    def __init__(self, desks: Sequence[Desk]) -> None:
        self._desks = {desk.name: desk for desk in desks}
        self._first = desks[0]

    def app(self) -> Starlette:
        routes: list[BaseRoute] = [
            Route("/health", self._get_health, methods=["GET"]),
            Route("/control/charges/{id}/capture_before", self._put_capture_before, methods=["POST"]),
            Route("/control/charges/{id}/{word}", self._charge_by_payer, methods=["POST"]),
            Route("/control/contracts/{id}/{word}", self._contract_by_payer, methods=["POST"]),
            Route("/control/{kind}s/{id}/return", self._send_back, methods=["POST"]),
            Route("/control/disputes", self._dispute, methods=["POST"]),
            Route("/control/coins", self._coins, methods=["POST"]),
            Route("/control/settlement", self._settlement, methods=["GET"]),
            Route("/control/bill", self._bill, methods=["GET"]),
            *payer_routes(list(self._desks.values())),
        ]
        for desk in self._desks.values():
            routes += _of_desk(desk, f"/{desk.name}")
        return Starlette(routes=[*routes, *_of_desk(self._first, "")], lifespan=self._lifespan)

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        couriers = [asyncio.create_task(desk.courier.run()) for desk in self._desks.values()]
        for courier in couriers:
            # A simulator that no longer calls back is broken: better that it stops than that it looks alive.
            courier.add_done_callback(lambda task: None if task.cancelled() else signal.raise_signal(signal.SIGTERM))
        yield
        for desk in self._desks.values():
            desk.close()
        for courier in couriers:
            courier.cancel()
            with suppress(asyncio.CancelledError):
                await courier

    # --- who drives it ---------------------------------------------------------------------------------------------

    async def _get_health(self, _request: Request) -> Response:
        for desk in self._desks.values():
            await desk.keeper.do(Books.plan)
        return _json(200, {"status": "ok", "channels": list(self._desks)})

    async def _charge_by_payer(self, request: Request) -> Response:
        return await self._by_payer(request, "charge")

    async def _contract_by_payer(self, request: Request) -> Response:
        change = {"end": Books.end_contract, "replace_card": Books.replace_card}.get(request.path_params["word"])
        if change is None:
            return await self._by_payer(request, "contract")
        try:
            desk = await self._who_knows("contract", request.path_params["id"])
            moved = await desk.keeper.do(change, request.path_params["id"], now_ms())
        except Refused as refused:
            return plain(refused)
        return _moved(desk, moved)

    async def _by_payer(self, request: Request, kind: Literal["charge", "contract"]) -> Response:
        our_id, word = request.path_params["id"], _WORDS.get(request.path_params["word"])
        try:
            if word is None:
                raise Refused(404, "not_found", f"A payer approves or refuses, and time lets expire: {list(_WORDS)}.")
            desk = await self._who_knows(kind, our_id)
            done = await desk.keeper.do(Books.payer, word, kind, our_id, now_ms())
        except Refused as refused:
            return plain(refused)
        return _moved(desk, done)

    async def _put_capture_before(self, request: Request) -> Response:
        our_id = request.path_params["id"]
        try:
            until = await _told(request, _Until)
            desk = await self._who_knows("charge", our_id)
            at_ms = int(until.at.timestamp() * 1_000)
            held = await desk.keeper.do(Books.set_capture_before, our_id, at_ms)
        except Refused as refused:
            return plain(refused)
        return _moved(desk, held)

    async def _send_back(self, request: Request) -> Response:
        kind, our_id = request.path_params["kind"], request.path_params["id"]
        try:
            if kind not in ("refund", "payout"):
                raise Refused(404, "not_found", "A refund or a payout comes back.")
            desk = await self._who_knows(kind, our_id)
            returned = await desk.keeper.do(Books.send_back, kind, our_id, now_ms())
        except Refused as refused:
            return plain(refused)
        return _moved(desk, returned)

    async def _dispute(self, request: Request) -> Response:
        try:
            order = await _told(request, DisputeOrder)
            desk = await self._who_knows("charge", order.charge)
            moved = await desk.keeper.do(Books.dispute, order, now_ms())
        except Refused as refused:
            return plain(refused)
        return _moved(desk, moved)

    async def _coins(self, request: Request) -> Response:
        try:
            order = await _told(request, CoinsOrder)
            desk = await self._who_knows("charge", order.charge)
            sent = await desk.keeper.do(Books.coins, order, now_ms())
        except Refused as refused:
            return plain(refused)
        return _moved(desk, sent)

    async def _settlement(self, request: Request) -> Response:
        try:
            desk, day = self._day_of(request)
        except Refused as refused:
            return plain(refused)
        return Response(await desk.keeper.do(Books.settlement, day), 200, media_type="text/csv")

    async def _bill(self, request: Request) -> Response:
        try:
            desk, day = self._day_of(request)
            billed = await desk.keeper.do(Books.bill, day, now_ms())
            if billed is None:
                raise Refused(404, "not_found", "This channel writes no bill of its own.")
        except Refused as refused:
            return plain(refused)
        return Response(billed[0], 200, media_type=billed[1])

    def _day_of(self, request: Request) -> tuple[Desk, date]:
        """The channel and the day that are asked for; today without one. Raises Refused."""
        try:
            day = date.fromisoformat(request.query_params.get("date", datetime.now(UTC).date().isoformat()))
        except ValueError:
            raise Refused(422, "invalid_request", "A date is YYYY-MM-DD.") from None
        desk = self._desks.get(request.query_params.get("channel", self._first.name))
        if desk is None:
            raise Refused(404, "not_found", "There is no such channel.")
        return desk, day

    async def _who_knows(self, kind: _Known, our_id: str) -> Desk:
        for desk in self._desks.values():
            if await desk.keeper.do(Books.knows, kind, our_id):
                return desk
        raise Refused(404, "not_found", f"No channel knows such a {kind}.")


def _of_desk(desk: Desk, prefix: str) -> list[BaseRoute]:
    """What one channel answers under its prefix."""

    async def get_books(_request: Request) -> Response:
        return _json(200, await desk.keeper.do(Books.whole))

    async def get_faults(_request: Request) -> Response:
        seed, rules = await desk.keeper.do(Books.plan)
        return _json(200, {"seed": seed, "rules": rules})

    async def put_faults(request: Request) -> Response:
        try:
            plan = await _told(request, FaultPlan)
        except Refused as refused:
            return plain(refused)
        await desk.keeper.do(Books.set_plan, plan)
        return _json(200, plan)

    async def get_callbacks(_request: Request) -> Response:
        return _json(200, {"owed": await desk.keeper.do(Books.messages_owed)})

    async def treat(request: Request) -> Response:
        path = request.scope["raw_path"].decode("ascii", "replace").partition("?")[0]
        return await desk.treat(request, path.removeprefix(prefix))

    return [
        Route(f"{prefix}/books", get_books, methods=["GET"]),
        Route(f"{prefix}/faults", get_faults, methods=["GET"]),
        Route(f"{prefix}/faults", put_faults, methods=["PUT"]),
        Route(f"{prefix}/callbacks", get_callbacks, methods=["GET"]),
        Route(f"{prefix}/{{path:path}}", treat, methods=["GET", "POST", "PUT", "DELETE"]),
    ]


async def _told(request: Request, shape: type[_Shape]) -> _Shape:
    try:
        return msgspec.json.decode(await whole_body(request), type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as unreadable:
        raise Refused(422, "invalid_request", str(unreadable)) from unreadable


def _moved(desk: Desk, one: Operation) -> Response:
    desk.courier.wake()
    about = {"channel": desk.name, "id": one.id, "reference": one.reference, "status": one.status}
    return _json(200, about | ({"dispute": one.id} if one.kind == "dispute" else {}))


def _json(status: int, content: object) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")
