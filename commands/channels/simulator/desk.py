"""Desk: one channel at the simulator: a request in, the faults of the plan, the books, the answer out."""

import asyncio
from contextlib import suppress

import msgspec
from msgspec import structs
from starlette.requests import Request
from starlette.responses import Response

from commands.channels.requests import ChannelRequest
from commands.channels.simulator.books import Books
from commands.channels.simulator.callbacks import Courier, now_ms
from commands.channels.simulator.conduct import ANOTHER_CURRENCY, LONGEST_DELAY_MS, Conduct
from commands.channels.simulator.counterparts.counterpart import Answer, Counterpart, Wire
from commands.channels.simulator.keeper import Keeper
from commands.channels.simulator.operations import Operation, Refused
from commands.channels.simulator.store import another_amount

_LARGEST_BODY = 64 * 1024
_BROKEN = b'{"object":"error","code":"internal","message":"Something went wrong."}'


class Desk:
    """Where one channel is spoken to; `callback_url` is where its messages go."""

    def __init__(self, name: str, keeper: Keeper, counterpart: Counterpart, callback_url: str | None) -> None:
        self.name, self.keeper, self._counterpart = name, keeper, counterpart
        self.courier = Courier(keeper, counterpart, callback_url)
        self._on_their_way: set[asyncio.Task[None]] = set()

    async def treat(self, request: Request, path: str) -> Response:
        """The channel's own interface; `path` is what follows the channel's prefix, undecoded."""
        try:
            headers = {name.lower(): value for name, value in request.headers.items()}
            wire = Wire(request.method, path, headers, await whole_body(request), request.url.query)
        except Refused as refused:
            return plain(refused)
        page = self._counterpart.page(wire)
        if page is not None:
            return Response(page.body, page.status, media_type=page.content_type)
        try:
            asked = self._counterpart.read(wire)
            conduct, found = await self.keeper.do(Books.begin, asked, now_ms())
            if found is None:
                if (trouble := await self._before(request, asked, conduct)) is not None:
                    return trouble
                found = await self.keeper.do(Books.do, asked, conduct, now_ms())
        except Refused as refused:
            return self._sealed(wire, self._counterpart.refuse(refused))
        return await self._after(request, wire, asked, conduct, found)

    def close(self) -> None:
        for task in self._on_their_way:
            task.cancel()

    async def _before(self, request: Request, asked: ChannelRequest, conduct: Conduct) -> Response | None:
        """The trouble that comes before anything is done, if any."""
        match conduct.answer:
            case "timeout_before":
                return await _silence(request)
            case "error_500_before":
                return Response(_BROKEN, 500, media_type="application/json")
            case "arrives_late":
                task = asyncio.create_task(self._arrives(asked, conduct))
                self._on_their_way.add(task)
                task.add_done_callback(self._on_their_way.discard)
                return await _silence(request)
            case "hang":
                await asyncio.sleep(conduct.hang_ms / 1000)
                return None
            case _:
                return None

    async def _arrives(self, asked: ChannelRequest, conduct: Conduct) -> None:
        """It was held up on its way here."""
        await asyncio.sleep(conduct.hang_ms / 1000)
        with suppress(Refused):
            await self.keeper.do(Books.do, asked, conduct, now_ms())
            self.courier.wake()

    async def _after(
        self, request: Request, wire: Wire, asked: ChannelRequest, conduct: Conduct, found: Operation
    ) -> Response:
        """The answer to what was done, or the trouble that comes after it."""
        self.courier.wake()
        match conduct.answer:
            case "timeout_after":
                return await _silence(request)
            case "error_500_after":
                return Response(_BROKEN, 500, media_type="application/json")
            case "wrong_amount":
                found = another_amount(found)
            case "wrong_currency":
                found = structs.replace(found, currency=ANOTHER_CURRENCY)
            case _:
                pass
        answer = self._counterpart.write(asked, found)
        if conduct.answer == "malformed_body":
            answer = structs.replace(answer, body=answer.body[: len(answer.body) // 2])
        return self._sealed(wire, answer)

    def _sealed(self, wire: Wire, answer: Answer) -> Response:
        sealed = self._counterpart.seal(wire, answer)
        return Response(sealed.body, sealed.status, sealed.headers, sealed.content_type)


def plain(refused: Refused) -> Response:
    """A refusal that is not signed: to whoever runs the simulator, or to nobody that the channel knows."""
    content = {"object": "error", "code": refused.code, "message": refused.message}
    return Response(msgspec.json.encode(content), refused.status, media_type="application/json")


async def whole_body(request: Request) -> bytes:
    """Raises Refused for one that is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_BODY:
            raise Refused(413, "invalid_request", f"A body has at most {_LARGEST_BODY} bytes.")
    return bytes(body)


async def _silence(request: Request) -> Response:
    """Says nothing until the caller gives up."""

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    with suppress(TimeoutError):
        await asyncio.wait_for(gone(), LONGEST_DELAY_MS / 1000)
    return Response(status_code=504)
