"""The driver over HTTP: two servers and a worker as processes, one book for each run, and reads of the past."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from projections.rebuild import rebuild
from projections.register import BY_NAME
from tests.journeys.caller import Caller
from tests.journeys.service import Service
from tests.properties.model import Model
from tests.properties.model_state import Turnover
from tests.properties.requests import Reply, Request
from tests.writing import check_books, stored_balances

_PATIENCE_S = 20.0
_NOT_YET = ("not_caught_up", "not_sealed")


class OverHttp:
    """One book of a service that runs; every other run of requests goes to the other server."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.book = service.new_book()
        key = service.new_key(self.book)
        self._callers = [Caller(server.url, key) for server in service.servers]
        self._active = 0
        self._connection = service.database.connect()

    @property
    def caller(self) -> Caller:
        """Who speaks at the moment, and knows of everything that was written."""
        position = max(caller.position for caller in self._callers)
        self._callers[self._active].position = position
        return self._callers[self._active]

    def now(self) -> datetime:
        return datetime.now(UTC)

    def switch(self) -> None:
        """Go on at the other server, which remembers what was before."""
        self._active = (self._active + 1) % len(self._callers)

    def send(self, key: str, request: Request) -> Callable[[], Reply]:
        told = self.caller.post(request.path.removeprefix("/v1"), request.body(), key=key)
        # A period waits for views and for the seal of the log; on a busy machine it is asked for again.
        deadline = time.monotonic() + _PATIENCE_S
        while told.status == 503 and told.body["code"] in _NOT_YET and time.monotonic() < deadline:
            told = self.caller.post(request.path.removeprefix("/v1"), request.body(), key=key)
        assert told.status < 500, told.raw
        code = told.body["code"] if told.status >= 400 else None
        reply = Reply(told.status, code, told.body, told.is_replay)
        if code is None and told.body.get("position") is not None:
            assert told.position == told.body["position"]
        return lambda: reply

    def balances(self) -> dict[str, Turnover]:
        return stored_balances(self._connection, self.book)

    def balance(self, account: str, **when: str | int) -> dict[str, Any]:
        return self.caller.balance(account, **when)

    def trial_balance(self, **when: str | int) -> dict[str, Any]:
        found: dict[str, Any] = self.caller.get("/trial-balance", **when).done(200)
        return found

    def check(self, model: Model) -> None:
        """The log is sound, it holds what the model did, and every view that is rebuilt from it is the live one."""
        log = check_books(self._connection, self.book)
        assert len(log) == model.position
        self._caught_up(len(log))
        for name in BY_NAME:
            report = rebuild(self._service.database, self.book, name)
            assert report.is_equal, report
            assert report.position == len(log), report

    def _caught_up(self, position: int) -> None:
        def reached() -> bool:
            rows = self._connection.execute(
                f"SELECT projection FROM book_{self.book}.projection_checkpoints WHERE position >= %s",  # noqa: S608
                (position,),
            )
            return {name for (name,) in rows} >= BY_NAME.keys()

        self._service.wait_until(reached)

    def close(self) -> None:
        for caller in self._callers:
            caller.close()
        self._connection.close()
