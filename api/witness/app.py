"""App: a witness over HTTP: `POST /add-checkpoint` for logs, `GET /<hash of the origin>/checkpoint` for monitors.

What it answers is decided in `ledger.audit.witness`; here it is read in time and in size, and told.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from api.witness.memory import Memory
from ledger.audit.signed_note import Cosigner, Note, VerifierKey
from ledger.audit.witness import MOST_BYTES, NotCosigned, read_submission

logger = logging.getLogger(__name__)

G = TypeVar("G")
T = TypeVar("T")

_PATIENCE_S = 10.0
_CLOSE = {"Connection": "close"}


class Witness:
    """One witness: who it is, which logs it knows by which keys, and what it remembers."""

    def __init__(
        self,
        cosigner: Cosigner,
        logs: Mapping[str, Sequence[VerifierKey]],
        memory: Memory,
        *,
        clock: Callable[[], float] = time.time,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        """`patience_s`: how long a request may take to arrive."""
        self._cosigner, self._logs, self._memory = cosigner, logs, memory
        self._clock, self._patience_s = clock, patience_s
        # The memory waits for the disk, and serves one at a time.
        self._thread = ThreadPoolExecutor(1, "memory")

    def app(self) -> Starlette:
        """The application that uvicorn serves."""
        routes = [
            Route("/add-checkpoint", self._add_checkpoint, methods=["POST"]),
            Route("/{origin_hash}/checkpoint", self._checkpoint, methods=["GET"]),
        ]
        return Starlette(routes=routes, lifespan=self._lifespan)

    def cosigned(self, content: bytes) -> str:
        """The line that answers this request; raises NotCosigned and sqlite3.Error."""
        submission = read_submission(content, self._logs)
        one = submission.checkpoint
        try:
            note = self._memory.cosign(submission, self._sign)
        except NotCosigned as refusal:
            if refusal.is_disputed:
                logger.error("%s signed a checkpoint of %d which does not go on: %s", one.origin, one.size, refusal)
            raise
        logger.info("cosigned %s at %d", one.origin, one.size)
        return f"{note.signatures[-1]}\n"

    def _sign(self, note: Note) -> Note:
        return self._cosigner.sign(note, int(self._clock()))

    async def _add_checkpoint(self, request: Request) -> Response:
        try:
            content = await self._body(request)
        except NotCosigned as refusal:
            return PlainTextResponse(refusal.text, refusal.status, _CLOSE)
        try:
            return PlainTextResponse(await self._apart(self.cosigned, content))
        except NotCosigned as refusal:
            return Response(refusal.text, refusal.status, media_type=refusal.media_type)
        except sqlite3.Error as trouble:
            return _without_memory(trouble)

    async def _checkpoint(self, request: Request) -> Response:
        try:
            note = await self._apart(self._memory.note, request.path_params["origin_hash"])
        except sqlite3.Error as trouble:
            return _without_memory(trouble)
        return PlainTextResponse("nothing was cosigned of such a log", 404) if note is None else PlainTextResponse(note)

    async def _body(self, request: Request) -> bytes:
        """What was sent, if it ends in time and is not too long; raises NotCosigned with 400, 408 or 413."""
        content = bytearray()
        try:
            async with asyncio.timeout(self._patience_s):
                async for piece in request.stream():
                    content += piece
                    if len(content) > MOST_BYTES:
                        raise NotCosigned(413, f"a request has at most {MOST_BYTES} bytes")
        except TimeoutError:
            raise NotCosigned(408, "the request did not end in time") from None
        except ClientDisconnect:
            raise NotCosigned(400, "the request did not end") from None
        return bytes(content)

    async def _apart(self, work: Callable[[G], T], given: G) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, given)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        yield
        self._thread.shutdown()
        self._memory.close()


def _without_memory(trouble: sqlite3.Error) -> Response:
    logger.error("the memory does not answer: %s", trouble)
    return PlainTextResponse("the memory does not answer", 503)
