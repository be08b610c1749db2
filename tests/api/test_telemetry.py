"""Telemetry: a line of JSON for what went wrong, figures for everything, and never a word of what is secret."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.telemetry import Metrics, Telemetry, configure_logging, correlation_id
from tests.api.client import Answer, call

KEY = "lk_0123456789abcdef_" + "S3cret" * 6


class Route:
    """What a router leaves in the scope."""

    path = "/v1/things/{thing}"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the status that the address ends with; 599 breaks."""
    scope["route"] = Route()
    status = int(scope["path"].rpartition("/")[2])
    logging.getLogger("somebody").warning("at work")
    if status == 599:
        raise RuntimeError("broken\nwith a second line that may quote what was being stored: CANARY")
    await Response(correlation_id.get(), status)(scope, receive, send)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What is logged, from DEBUG on."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging("DEBUG")
    try:
        yield stream
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def lines(said: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.getvalue().splitlines()]


def ask(metrics: Metrics, status: int, *headers: tuple[str, str]) -> Answer:
    return call(Telemetry(app, metrics), "GET", f"/v1/things/{status}", headers=headers)


def test_each_request_has_a_correlation_id_that_is_in_the_answer_and_in_all_lines(said: io.StringIO) -> None:
    answers = [ask(Metrics(), 200), ask(Metrics(), 200)]
    ids = [answer.headers["x-correlation-id"] for answer in answers]
    assert ids[0] != ids[1]
    assert all(given.startswith("cor_") for given in ids)
    assert [answer.body.decode() for answer in answers] == ids
    for given in ids:
        assert {line["event"] for line in lines(said) if line.get("correlation_id") == given} == {"at work", "answered"}


@pytest.mark.parametrize("given", ["job-17", "a" * 64])
def test_the_callers_own_correlation_id_is_kept(given: str) -> None:
    assert ask(Metrics(), 200, ("X-Correlation-Id", given)).headers["x-correlation-id"] == given


@pytest.mark.parametrize("given", ["", "a b", "a" * 65, "a\r\nb", "4111111111111111", 'a"b'])
def test_a_correlation_id_that_could_harm_is_replaced(given: str) -> None:
    assert ask(Metrics(), 200, ("X-Correlation-Id", given)).headers["x-correlation-id"].startswith("cor_")


@pytest.mark.parametrize(("status", "level"), [(200, "debug"), (404, "info"), (503, "warning")])
def test_the_worse_the_answer_the_louder_the_line(said: io.StringIO, status: int, level: str) -> None:
    ask(Metrics(), status)
    (line,) = (line for line in lines(said) if line["event"] == "answered")
    assert line["level"] == level
    assert (line["method"], line["route"], line["status"]) == ("GET", Route.path, status)


def test_an_exception_is_told_by_its_place_and_its_first_line(said: io.StringIO) -> None:
    try:
        raise ValueError("it broke\nwith a second line: CANARY")
    except ValueError:
        logging.getLogger("somebody").exception("oh")
    (line,) = lines(said)
    assert (line["exception"], line["message"]) == ("ValueError", "it broke")
    assert line["frames"][-1].endswith("test_an_exception_is_told_by_its_place_and_its_first_line")
    assert "CANARY" not in said.getvalue()


def test_no_line_holds_a_secret_or_more_than_one_line(said: io.StringIO) -> None:
    log = logging.getLogger("somebody")
    log.warning("the key is %s", KEY)
    log.warning("connecting", extra={"url": f"postgresql://ledger:{KEY}@host/db", "again": "postgresql://u:pass@h/d"})
    log.warning("whsec_%s", "QUJD" * 10)
    log.warning("line\nbreak \x1b[31m and \x00")
    assert len(lines(said)) == 4
    assert "S3cret" not in said.getvalue()
    assert "pass@" not in said.getvalue()
    assert "QUJDQUJD" not in said.getvalue()


def test_requests_are_counted_by_the_template_of_their_address_and_never_by_its_text() -> None:
    metrics = Metrics()
    for status in (200, 200, 404):
        ask(metrics, status)
    with pytest.raises(RuntimeError):
        ask(metrics, 599)
    figures = metrics.exposition().decode()
    route = f'method="GET",route="{Route.path}"'
    assert f'ledger_http_requests_total{{{route},status="200"}} 2.0' in figures
    assert f'ledger_http_requests_total{{{route},status="404"}} 1.0' in figures
    assert f'ledger_http_request_seconds_count{{route="{Route.path}"}} 4.0' in figures
    assert "/v1/things/2" not in figures


def test_a_strangers_method_makes_no_figure_of_its_own() -> None:
    metrics = Metrics()
    call(Telemetry(app, metrics), "BREW", "/v1/things/200")
    assert 'method="other"' in metrics.exposition().decode()


def test_figures_of_two_services_in_one_process_do_not_mix() -> None:
    one, other = Metrics(), Metrics()
    one.stored(5)
    assert "ledger_writer_batch_commands_sum 5.0" in one.exposition().decode()
    assert "ledger_writer_batch_commands_sum 0.0" in other.exposition().decode()


def test_what_breaks_is_counted_and_logged_and_passed_on(said: io.StringIO) -> None:
    with pytest.raises(RuntimeError):
        ask(Metrics(), 599)
    (line,) = (line for line in lines(said) if line["event"] == "answered")
    assert (line["level"], line["status"]) == ("warning", 0)
