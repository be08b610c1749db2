"""Telemetry: JSON logs that name the request and no secrets, and the figures that Prometheus asks for.

Every request has a correlation id, the caller's own (`X-Correlation-Id`) or a fresh one: it stands in the answer,
in each line that is logged meanwhile, and in the metadata of each event the request leaves behind. Bodies, query
strings and headers are never logged. Requests that were answered well are logged at DEBUG only.
"""

import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from contextvars import ContextVar
from time import perf_counter
from typing import Any

import msgspec
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.text_rules import holds_card_number
from ledger.ids import CORRELATION, new_id

CORRELATION_HEADER = b"x-correlation-id"
correlation_id: ContextVar[str] = ContextVar("correlation_id", default="")

_GIVEN = re.compile(rb"[A-Za-z0-9_.:-]{1,64}")
_SECRET = re.compile(r"\b(lk|whsec)_[A-Za-z0-9+/=_-]{8,}")
_PASSWORD = re.compile(r"(?<=://)([^:@/\s]*):[^@/\s]*@")
_LONGEST_MESSAGE = 300

logger = logging.getLogger(__name__)

# --- logs -----------------------------------------------------------------------------------------------------------

_Line = MutableMapping[str, Any]


def configure_logging(level: str) -> None:
    """Write every log line of this process, also the libraries', as one JSON object to standard error."""
    shared: list[Any] = [
        structlog.stdlib.ExtraAdder(),
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_correlation,
        _tell_the_exception,
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _hide_secrets,
                structlog.processors.JSONRenderer(serializer=lambda line, **_: msgspec.json.encode(line).decode()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # uvicorn brings handlers of its own; its access log knows nothing of correlation, ours does.
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = name != "uvicorn.access"
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


def _add_correlation(_: Any, __: str, line: _Line) -> _Line:
    if correlation := correlation_id.get():
        line["correlation_id"] = correlation
    return line


def _tell_the_exception(_: Any, __: str, line: _Line) -> _Line:
    """Where it broke and the first line of why: the rest of a database's message may quote what was being stored."""
    told = line.pop("exc_info", None)
    error = sys.exc_info()[1] if told is True else told[1] if isinstance(told, tuple) else told
    if isinstance(error, BaseException):
        line["exception"] = type(error).__qualname__
        line["message"] = (str(error).splitlines() or [""])[0][:_LONGEST_MESSAGE]
        line["frames"] = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)]
    return line


def _hide_secrets(_: Any, __: str, line: _Line) -> _Line:
    for name, value in line.items():
        if isinstance(value, str):
            line[name] = _PASSWORD.sub(r"\1:…@", _SECRET.sub(r"\1_…", value))
        elif not isinstance(value, bool | int | list):
            line[name] = str(value)
    return line


# --- figures --------------------------------------------------------------------------------------------------------

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_COMMANDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)


class Metrics:
    """The figures of one process; a registry of its own, so that two services in one process do not mix."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "ledger_http_requests", "Requests answered.", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "ledger_http_request_seconds", "Time to answer.", ["route"], buckets=_SECONDS, registry=self._registry
        )
        self._batches = Histogram(
            "ledger_writer_batch_commands",
            "Commands stored in one transaction.",
            buckets=_COMMANDS,
            registry=self._registry,
        )
        self._waiting = Gauge(
            "ledger_writer_waiting_commands", "Commands that wait to be decided.", ["book"], registry=self._registry
        )
        self._position = Gauge("ledger_log_position", "End of the book's log.", ["book"], registry=self._registry)
        self._sealed = Gauge(
            "ledger_sealed_position", "End of what is under a signed checkpoint.", ["book"], registry=self._registry
        )
        self._cosigned = Gauge(
            "ledger_cosigned_position",
            "End of what a witness has cosigned.",
            ["book", "witness"],
            registry=self._registry,
        )
        self._lag = Gauge(
            "ledger_projection_lag_events",
            "How far a view is behind its log.",
            ["book", "projection"],
            registry=self._registry,
        )
        self._ignored = Counter(
            "ledger_callbacks_ignored", "Callbacks about nothing known.", ["channel"], registry=self._registry
        )
        # A label's figure is looked up under a lock; what was looked up once is kept.
        self._known_requests: dict[tuple[str, str, int], Any] = {}
        self._known_seconds: dict[str, Any] = {}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        counter = self._known_requests.get((method, route, status))
        if counter is None:
            counter = self._requests.labels(method, route, status)
            self._known_requests[method, route, status] = counter
            self._known_seconds[route] = self._seconds.labels(route)
        counter.inc()
        self._known_seconds[route].observe(seconds)

    def stored(self, commands: int) -> None:
        self._batches.observe(commands)

    def waiting(self, book: str, commands: int) -> None:
        self._waiting.labels(book).set(commands)

    def stands_at(self, book: str, position: int) -> None:
        self._position.labels(book).set(position)

    def sealed_until(self, book: str, position: int) -> None:
        self._sealed.labels(book).set(position)

    def cosigned_until(self, book: str, witness: str, position: int) -> None:
        self._cosigned.labels(book, witness).set(position)

    def lags(self, book: str, projection: str, events: int) -> None:
        self._lag.labels(book, projection).set(events)

    def ignored(self, channel: str) -> None:
        self._ignored.labels(channel).inc()

    def exposition(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self._registry)


# --- the outermost layer --------------------------------------------------------------------------------------------


class Telemetry:
    """Gives each request its correlation id, counts it and measures it."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        correlation = _correlation_of(scope)
        token = correlation_id.set(correlation)
        status = 0

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (CORRELATION_HEADER, correlation.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        finally:
            seconds = perf_counter() - started
            # The template and not the path: ids would make a figure of each, and a stranger's text one of our labels.
            route = getattr(scope.get("route"), "path", "")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.answered(method, route, status, seconds)
            _log(method, route, status, seconds)
            correlation_id.reset(token)


_METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"})


def _correlation_of(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == CORRELATION_HEADER and _GIVEN.fullmatch(value) and not holds_card_number(value.decode()):
            return str(value, "ascii")
    return new_id(CORRELATION)


def _log(method: str, route: str, status: int, seconds: float) -> None:
    level = logging.WARNING if status >= 500 or not status else logging.INFO if status >= 400 else logging.DEBUG
    if logger.isEnabledFor(level):
        told = {"method": method, "route": route, "status": status, "ms": round(seconds * 1_000)}
        logger.log(level, "answered", extra=told)
