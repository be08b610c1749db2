"""/audit/export: a whole book to take home, with the programs that check it, as `ledger export` writes it: a zip file.

Written while it is sent: nothing of it is kept here, and a page of events is all that is in memory. One that is broken
off has no table of contents in its end, and no manifest.
"""

from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractContextManager
from typing import IO
from zipfile import ZIP_DEFLATED, ZipFile

import msgspec
from starlette.concurrency import iterate_in_threadpool
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from api.access_log import Sensitive
from api.dependencies import Caller, Calling, MinPosition
from api.routes.sealed_log import wait_for_seal
from api.routing import Router
from ledger.errors import NotSealed
from ledger.store.connection import Database
from ledger.store.exporting import BookExport
from ledger.store.sealed import SignedCheckpoint, newest_checkpoint_async

router = Router("/v1/audit", "audit")

_ZIP = "application/zip"
_PIECE_BYTES = 1 << 18
_ASK_AGAIN_EVERY = 64
_STATEMENT_TIMEOUT_MS = 60_000


class _Pieces:
    """What a zip file is written to: what has come in is taken out again, and nobody goes back."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, content: bytes) -> int:
        """Add this at the end."""
        self._waiting += content
        return len(content)

    def flush(self) -> None:
        """There is nothing behind it."""

    def close(self) -> None:
        """It is over."""

    def take(self, at_least: int) -> bytes:
        """What has come in, if it is so much."""
        if len(self._waiting) < at_least:
            return b""
        taken, self._waiting = bytes(self._waiting), bytearray()
        return taken


class _ZipSink:
    """Files in a zip file, below a folder named after the book."""

    def __init__(self, zipped: ZipFile, folder: str) -> None:
        self._zipped, self._folder = zipped, folder

    def open(self, path: str) -> AbstractContextManager[IO[bytes]]:
        """A new file, written when the block ends."""
        return self._zipped.open(f"{self._folder}/{path}", "w")


def _zipped(database: Database, book: str, checkpoint: SignedCheckpoint) -> Generator[bytes]:
    """The export, piece by piece; whoever stops asking gives its connection back."""
    pieces = _Pieces()
    patient = msgspec.structs.replace(database, statement_timeout_ms=_STATEMENT_TIMEOUT_MS)
    with patient.connect() as connection:
        # Compressed a little: the events are words, and the reader is far away.
        with ZipFile(pieces, "w", ZIP_DEFLATED, compresslevel=1) as zipped:
            export = BookExport(connection, book, checkpoint, _ZipSink(zipped, f"{book}-{checkpoint.size}"))
            for _ in export.steps():
                if piece := pieces.take(_PIECE_BYTES):
                    yield piece
        yield pieces.take(0)


class _Sent(StreamingResponse):
    """An answer whose source is closed when it is over, however that comes."""

    def __init__(self, pieces: AsyncGenerator[bytes], name: str) -> None:
        self._pieces = pieces
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        super().__init__(pieces, media_type=_ZIP, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._pieces.aclose()


async def _sent(caller: Caller, checkpoint: SignedCheckpoint) -> AsyncGenerator[bytes]:
    async with caller.world.exports:
        pieces = _zipped(caller.world.database, caller.book, checkpoint)
        try:
            sent = 0
            async for piece in iterate_in_threadpool(pieces):
                if sent % _ASK_AGAIN_EVERY == 0:
                    await caller.still_may()
                yield piece
                sent += 1
        finally:
            pieces.close()


@router.reads(
    "/export", (), "PK…", scope="audit:read", media_type=_ZIP, refuses=(NotSealed,), sensitive=Sensitive.FIRST
)
async def export_book(caller: Calling, min_position: MinPosition = None) -> Response:
    """Take the whole book home, up to the newest signed checkpoint: a zip file that can be checked without us.

    Unpack it and run `python verify_ledger.py FOLDER --vkey VKEY`, with the log's public key as somebody you trust gave
    it to you; SPEC.md in it tells the rest. A few exports are sent at once, others wait for them.
    """
    await wait_for_seal(caller, min_position)
    async with caller.world.reading() as connection:
        checkpoint = await newest_checkpoint_async(connection, caller.book)
    if checkpoint is None:
        raise NotSealed
    return _Sent(_sent(caller, checkpoint), f"{caller.book}-{checkpoint.size}.zip")
