"""Protocol: uvicorn's HTTP protocol, with an end to waiting for headers that trickle in."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

_PATIENCE_WITH_HEADERS_S = 10.0


class PatientProtocol(H11Protocol):
    """One connection; what is too long, or is no HTTP, h11 refuses."""

    patience_s = _PATIENCE_WITH_HEADERS_S
    _too_late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        if self._awaits_a_request():
            self._expect_headers()
        super().data_received(data)
        if not self._awaits_a_request():
            self._stop_expecting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_expecting()
        super().connection_lost(exc)

    def _awaits_a_request(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request.
        return cycle is None or cycle.response_complete

    def _expect_headers(self) -> None:
        if self._too_late is None:
            self._too_late = self.loop.call_later(self.patience_s, self.transport.close)

    def _stop_expecting(self) -> None:
        if self._too_late is not None:
            self._too_late.cancel()
            self._too_late = None
