"""The simulator over HTTP.

signed, as the adapter speaks   POST /charges   GET /charges/{id}   POST /refunds   GET /refunds/{id}
for whoever runs it             GET /books      GET and PUT /faults   GET /callbacks   GET /health
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from commands.channels.card_simulator import answer_message, request_message
from commands.channels.signatures import SIGNATURE_HEADER, Secret
from commands.channels.simulator.books import Books, ChargeOrder, Kind, RefundOrder, Refused
from commands.channels.simulator.callbacks import Courier, now_ms
from commands.channels.simulator.conduct import LONGEST_DELAY_MS, Conduct, charge_conduct, refund_conduct
from commands.channels.simulator.faults import FaultPlan, Operation
from commands.channels.simulator.keeper import Keeper
from ledger.money import LARGEST

_LARGEST_BODY = 64 * 1024
_Order = TypeVar("_Order", ChargeOrder, RefundOrder)


class Simulator:
    """The routes over one set of books."""

    def __init__(self, keeper: Keeper, secret: Secret, callback_url: str | None) -> None:
        self._keeper, self._secret = keeper, secret
        self._courier = Courier(keeper, secret, callback_url)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/charges", self._post_charge, methods=["POST"]),
                Route("/charges/{id:path}", self._get_charge, methods=["GET"]),
                Route("/refunds", self._post_refund, methods=["POST"]),
                Route("/refunds/{id:path}", self._get_refund, methods=["GET"]),
                Route("/books", self._get_books, methods=["GET"]),
                Route("/faults", self._get_faults, methods=["GET"]),
                Route("/faults", self._put_faults, methods=["PUT"]),
                Route("/callbacks", self._get_callbacks, methods=["GET"]),
                Route("/health", self._get_health, methods=["GET"]),
            ],
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        courier = asyncio.create_task(self._courier.run())
        # A simulator that no longer calls back is broken: better that it stops than that it looks alive.
        courier.add_done_callback(lambda task: None if task.cancelled() else signal.raise_signal(signal.SIGTERM))
        yield
        courier.cancel()
        with suppress(asyncio.CancelledError):
            await courier

    # --- the channel's own interface -------------------------------------------------------------------------------

    async def _post_charge(self, request: Request) -> Response:
        try:
            order = await self._order(request, ChargeOrder)
            conduct = await self._keeper.do(Books.conduct, "charge", order.token, charge_conduct(order.token))
            if (trouble := await _before(request, conduct)) is not None:
                return trouble
            content = await self._keeper.do(Books.charge, order, conduct, now_ms())
        except Refused as refused:
            return self._refusal(request, refused)
        return await self._after(request, conduct, content)

    async def _post_refund(self, request: Request) -> Response:
        try:
            order = await self._order(request, RefundOrder)
            token = await self._keeper.do(Books.token_of, "charge", order.charge_id)
            conduct = await self._keeper.do(Books.conduct, "refund", token, refund_conduct(token or ""))
            if (trouble := await _before(request, conduct)) is not None:
                return trouble
            content = await self._keeper.do(Books.refund, order, conduct, now_ms())
        except Refused as refused:
            return self._refusal(request, refused)
        return await self._after(request, conduct, content)

    async def _get_charge(self, request: Request) -> Response:
        return await self._found(request, "charge", "query_charge")

    async def _get_refund(self, request: Request) -> Response:
        return await self._found(request, "refund", "query_refund")

    async def _found(self, request: Request, kind: Kind, operation: Operation) -> Response:
        operation_id = request.path_params["id"]
        try:
            self._check_signature(request, b"")
            token = await self._keeper.do(Books.token_of, kind, operation_id)
            conduct = await self._keeper.do(Books.conduct, operation, token, Conduct())
            if (trouble := await _before(request, conduct)) is not None:
                return trouble
            content = await self._keeper.do(Books.find, kind, operation_id)
            if content is None:
                raise Refused(404, "not_found", f"There is no such {kind}.")
        except Refused as refused:
            return self._refusal(request, refused)
        return await self._after(request, conduct, content)

    # --- for whoever runs it ---------------------------------------------------------------------------------------

    async def _get_books(self, _request: Request) -> Response:
        return _plain(200, await self._keeper.do(Books.whole))

    async def _get_faults(self, _request: Request) -> Response:
        seed, rules = await self._keeper.do(Books.plan)
        return _plain(200, {"seed": seed, "rules": rules})

    async def _put_faults(self, request: Request) -> Response:
        try:
            plan = msgspec.json.decode(await _body(request), type=FaultPlan)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as unreadable:
            return _plain(422, {"object": "error", "code": "invalid_request", "message": str(unreadable)})
        except Refused as refused:
            return _plain(refused.status, {"object": "error", "code": refused.code, "message": refused.message})
        await self._keeper.do(Books.set_plan, plan)
        return _plain(200, plan)

    async def _get_callbacks(self, _request: Request) -> Response:
        return _plain(200, {"owed": await self._keeper.do(Books.messages_owed)})

    async def _get_health(self, _request: Request) -> Response:
        await self._keeper.do(Books.plan)
        return _plain(200, {"status": "ok"})

    # --- below -----------------------------------------------------------------------------------------------------

    async def _order(self, request: Request, shape: type[_Order]) -> _Order:
        body = await _body(request)
        self._check_signature(request, body)
        try:
            return msgspec.json.decode(body, type=shape)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as unreadable:
            raise Refused(422, "invalid_request", str(unreadable)) from unreadable

    def _check_signature(self, request: Request, body: bytes) -> None:
        message = request_message(request.method, request.scope["raw_path"].decode("ascii", "replace"), body)
        if not self._secret.signed(message, request.headers.get(SIGNATURE_HEADER, "")):
            raise Refused(401, "signature_invalid", "The signature does not fit the request.")

    async def _after(self, request: Request, conduct: Conduct, content: dict[str, object]) -> Response:
        """The answer to what was done, or the trouble that comes after it."""
        self._courier.wake()
        match conduct.answer, content:
            case "timeout_after", _:
                return await _silence(request)
            case "error_500_after", _:
                return _plain(500, {"object": "error", "code": "internal", "message": "Something went wrong."})
            case "wrong_amount", {"amount": int() as amount}:
                content = {**content, "amount": amount - 1 if amount == LARGEST else amount + 1}
            case _:
                pass
        body = msgspec.json.encode(content)
        if conduct.answer == "malformed_body":
            body = body[: len(body) // 2]
        return self._answer(request, 202 if content["status"] == "pending" else 200, body)

    def _refusal(self, request: Request, refused: Refused) -> Response:
        content = {"object": "error", "code": refused.code, "message": refused.message}
        return self._answer(request, refused.status, msgspec.json.encode(content))

    def _answer(self, request: Request, status: int, body: bytes) -> Response:
        signature = self._secret.signature(answer_message(request.headers.get(SIGNATURE_HEADER, ""), status, body))
        return Response(body, status, {SIGNATURE_HEADER: signature}, "application/json")


async def _before(request: Request, conduct: Conduct) -> Response | None:
    """The trouble that comes before anything is done, if any."""
    match conduct.answer:
        case "timeout_before":
            return await _silence(request)
        case "error_500_before":
            return _plain(500, {"object": "error", "code": "internal", "message": "Something went wrong."})
        case "hang":
            await asyncio.sleep(conduct.hang_ms / 1000)
            return None
        case _:
            return None


async def _silence(request: Request) -> Response:
    """Says nothing until the caller gives up."""

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    with suppress(TimeoutError):
        await asyncio.wait_for(gone(), LONGEST_DELAY_MS / 1000)
    return Response(status_code=504)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_BODY:
            raise Refused(413, "invalid_request", f"A body has at most {_LARGEST_BODY} bytes.")
    return bytes(body)


def _plain(status: int, content: object) -> Response:
    """An answer that is not signed: the operator's, and what a broken server says."""
    return Response(msgspec.json.encode(content), status, media_type="application/json")
