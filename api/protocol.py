"""Protocol: uvicorn's HTTP protocol, with an end to what it would wait for or take for ever, and problem documents.

uvicorn by itself waits without end for headers that trickle in, keeps headers of any size, and answers what is no HTTP
at all in plain text, in the place of the answer to the whole request before it.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from api.problems import problem_response
from ledger.errors import BadRequest, HeadersTooLarge, Refusal, RequestTimeout

_PATIENCE_WITH_HEADERS_S = 10.0
# The door refuses what is less than that; this is for headers that never end.
_MOST_HEADER_BYTES = 128 * 1024
_REASONS = {400: b"Bad Request", 408: b"Request Timeout", 431: b"Request Header Fields Too Large"}


class Protocol(HttpToolsProtocol):
    """One connection."""

    _too_late: asyncio.TimerHandle | None = None
    _header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_expecting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._header_bytes += len(data)
        super().data_received(data)
        # Still expecting: nothing of what was received since then was more than headers.
        if self._too_late is not None and self._header_bytes > _MOST_HEADER_BYTES:
            self._refuse(HeadersTooLarge(max_bytes=_MOST_HEADER_BYTES))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_headers()

    def on_headers_complete(self) -> None:
        self._stop_expecting()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request and close; but first comes the answer to the whole request before it."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request.
        if cycle is not None and not cycle.response_complete and not cycle.more_body:
            # A 400 now would be taken for the answer to that request, which may well be carried out.
            cycle.keep_alive = False
            self.flow.pause_reading()
            return
        self._refuse(BadRequest())

    def _expect_headers(self) -> None:
        if self._too_late is None:
            self._header_bytes = 0
            self._too_late = self.loop.call_later(_PATIENCE_WITH_HEADERS_S, self._refuse, RequestTimeout())

    def _stop_expecting(self) -> None:
        if self._too_late is not None:
            self._too_late.cancel()
            self._too_late = None

    def _refuse(self, refusal: Refusal) -> None:
        """Say no where there is no request that could be answered, and close."""
        self._stop_expecting()
        if self.transport.is_closing():
            return
        answer = problem_response(refusal, {"Connection": "close"})
        status_line = b"HTTP/1.1 %d %s" % (refusal.status, _REASONS[refusal.status])
        headers = [name + b": " + value for name, value in answer.raw_headers]
        self.transport.write(b"\r\n".join([status_line, *headers, b"", bytes(answer.body)]))
        self.transport.close()
