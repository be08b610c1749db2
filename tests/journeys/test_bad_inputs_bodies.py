"""Bad inputs that stand in the body: amounts, numbers, fields, currencies, texts, metadata, times, JSON itself."""

import json
from typing import Any

import pytest

from tests.journeys.bad_inputs import CARD, LARGEST, Case, Desk, cases, check
from tests.journeys.caller import moves, posting

TYPE, SMALL = (422, "amount_type"), (422, "amount_not_positive")
FRACTION, INFINITE, LARGE = (400, "json_fractional_number"), (400, "json_non_finite"), (400, "json_integer_too_large")
FORBIDDEN = (400, "text_forbidden_character")
WIDE_CARD = CARD.translate({ord("2"): "\uff12", ord("4"): "\uff14"})
FORMAT, RANGE = (422, "timestamp_format"), (422, "timestamp_range")


def amount(row: int, raw: str, answer: tuple[int, str], what: str = "", *, secret: bool = True) -> Case:
    """A transfer of this amount, written as it stands."""
    echo = raw.strip('"') if secret and len(raw) > 3 else ""
    return Case(row, f"amount {what or raw}", lambda desk: desk.transfer_with("", raw), *answer, echo)


def field(row: int, members: str, answer: tuple[int, str], what: str = "", *, echo: str = "", at: str = "") -> Case:
    """A transfer with these members more, written as they stand."""
    return Case(row, what or members, lambda desk: desk.transfer_with(members), *answer, echo, at)


def body(row: int, raw: str | bytes, answer: tuple[int, str], what: str) -> Case:
    """A whole body."""
    return Case(row, what, lambda desk: desk.send_raw(raw), *answer)


def currency(row: int, code: str) -> Case:
    asked = {"debit_account": "a", "credit_account": "b", "amount": 1, "currency": code}
    return Case(row, f"currency {code!r}", lambda desk: desk.send_raw(json.dumps(asked)), 422, "currency_unknown")


def time(row: int, raw: str, answer: tuple[int, str]) -> Case:
    at = "/effective_at" if answer[0] == 422 else ""
    return field(row, f'"effective_at":{raw}', answer, f"time {raw}", at=at)


def description(row: int, raw: str, answer: tuple[int, str], what: str, echo: str = "") -> Case:
    """A text in raw JSON."""
    return field(row, f'"description":{raw}', answer, what, echo=echo)


def name(row: int, text: str, what: str) -> Case:
    return Case(row, f"{what} in a name", lambda desk: desk.account_with(name=text), *FORBIDDEN, text, "/name")


def metadata(row: int, raw: str, answer: tuple[int, str], what: str = "", echo: str = "") -> Case:
    return field(row, f'"metadata":{raw}', answer, what or f"metadata {raw}", echo=echo)


def entry(row: int, what: str, answer: tuple[int, str], *postings: dict[str, Any]) -> Case:
    return Case(row, what, lambda desk: desk.entry_of(*postings), *answer)


NUMBERS = [
    amount(1, "0", SMALL),
    amount(2, "-5", SMALL),
    amount(3, "true", TYPE, secret=False),
    amount(4, "1.0", FRACTION),
    amount(5, "1.5", FRACTION),
    amount(6, '"7"', TYPE),
    amount(7, '" 7 "', TYPE),
    amount(8, '"1_000"', TYPE),
    amount(9, '"7.0"', TYPE),
    amount(10, '"٣"', TYPE),
    amount(10, '"\uff17"', TYPE),
    amount(11, "NaN", INFINITE, secret=False),
    amount(12, "Infinity", INFINITE, secret=False),
    amount(12, "-Infinity", INFINITE, secret=False),
    amount(13, "1e2", FRACTION),
    amount(14, "1e308", FRACTION),
    amount(15, "1e400", FRACTION),
    amount(16, str(2**63), LARGE, secret=False),
    amount(17, str(2**64), LARGE),
    amount(18, "9" * 5_000, LARGE, "of 5,000 digits"),
    amount(19, "9007199254740993.0", FRACTION),
    amount(22, '"0.001"', TYPE),
    amount(23, '"100.5"', TYPE),
    amount(23, '"1.2345"', TYPE),
    *(amount(24, f'"{text}"', TYPE) for text in ("-0", "+5", "0x10", "1,000", "")),
    amount(25, '"1e99999"', TYPE),
    amount(26, '"1e999999999"', TYPE),
    Case(27, "a limit of inf", lambda desk: desk.account_with(min_balance="inf"), *TYPE, "inf", "/min_balance"),
    Case(
        27,
        "a limit of NaN",
        lambda desk: desk.send_raw('{"name":"n","kind":"asset","currency":"EUR","min_balance":NaN}', "/accounts"),
        *INFINITE,
    ),
]

FIELDS = [
    field(28, '"amount":2', (400, "json_duplicate_key"), at="/amount"),
    field(29, '"foo":1', (422, "unknown_field"), at="/foo"),
    field(30, '"status":"posted"', (422, "unknown_field"), at="/status"),
    field(30, '"tenant_id":"t"', (422, "unknown_field"), at="/tenant_id"),
    *(currency(31, code) for code in ("eur", "EURO", "XXX", "", "EÜR")),
    entry(
        33,
        "two currencies, each unbalanced",
        (422, "unbalanced"),
        posting("a", "debit", 10, "EUR"),
        posting("b", "credit", 10, "USD"),
    ),
    entry(34, "debits and credits differ", (422, "unbalanced"), posting("a", "debit", 10), posting("b", "credit", 9)),
    entry(35, "no postings", (422, "too_few_postings")),
    entry(35, "one posting", (422, "too_few_postings"), posting("a", "debit", 10)),
    entry(36, "101 postings", (422, "too_many_postings"), *moves(*[("a", "b", 1)] * 50), posting("a", "debit", 1)),
    entry(20, "amounts that add up past 2^63-1", (422, "amount_overflow"), *moves(*[("a", "b", LARGEST)] * 2)),
    field(65, '"metadata":{"cvv":"123"}', (422, "sensitive_field_not_allowed"), echo="123"),
    field(65, '"metadata":{"Card-Pin":"1234"}', (422, "sensitive_field_not_allowed"), echo="1234"),
    field(65, '"track2":"4242=2912"', (422, "sensitive_field_not_allowed"), echo="2912"),
]

TEXTS = [
    description(47, r'"a\u0000b"', FORBIDDEN, "NUL in a text"),
    metadata(48, r'{"k":"a\u0000b"}', FORBIDDEN, "NUL in a value"),
    metadata(48, r'{"a\u0000b":"v"}', FORBIDDEN, "NUL in a key"),
    description(49, r'"a\ud800b"', FORBIDDEN, "a lone surrogate"),
    metadata(50, r'{"k":"\udc00"}', FORBIDDEN, "a lone surrogate in a value"),
    metadata(50, r'{"\ud800":"v"}', FORBIDDEN, "a lone surrogate in a key"),
    name(54, "pay\u202epal", "a direction override"),
    name(54, "pay\u200bpal", "a zero-width space"),
    name(54, "pay\u2066pal", "an isolate"),
    name(54, "pay\x07pal", "a control character"),
    name(54, "pay\npal", "a line break"),
    name(54, "pay\xadpal", "a soft hyphen"),
    description(57, f'"{"x" * 501}"', (422, "too_long"), "501 characters", "xxxx"),
    description(57, f'"{"x" * 5_000_000}"', (413, "body_too_large"), "5 MB", "xxxx"),
    metadata(58, json.dumps({f"k{n}": "v" for n in range(51)}), (422, "too_many_keys"), "51 keys"),
    metadata(58, json.dumps({f"k{n}": "v" for n in range(300_000)}), (413, "body_too_large"), "300,000 keys"),
    metadata(59, '{"k":1}', (422, "metadata_type")),
    metadata(59, '{"k":["v"]}', (422, "metadata_type")),
    metadata(59, '{"k":null}', (422, "metadata_type")),
    metadata(59, '["k"]', (422, "metadata_type")),
    metadata(60, '{"k":NaN}', INFINITE),
    metadata(60, '{"k":1e400}', FRACTION),
    *(
        Case(64, f"a card number in {place}", send, 422, "pan_not_allowed", "4242")
        for place, send in [
            ("a text", lambda desk: desk.transfer_with(f'"description":"card {CARD}"')),
            ("a text, without spaces", lambda desk: desk.transfer_with('"description":"4242424242424242"')),
            ("a text, full-width", lambda desk: desk.transfer_with(f'"description":"{WIDE_CARD}"')),
            ("a reference", lambda desk: desk.transfer_with(f'"reference":"{CARD}"')),
            ("a value", lambda desk: desk.transfer_with(f'"metadata":{{"note":"{CARD}"}}')),
            ("a key", lambda desk: desk.transfer_with(f'"metadata":{{"{CARD}":"note"}}')),
            ("a field's name", lambda desk: desk.transfer_with(f'"{CARD}":1')),
        ]
    ),
]

TIMES = [
    time(66, '"2026-01-02T03:04:05"', FORMAT),
    time(67, '"2026-01-02"', FORMAT),
    time(67, "1700000000", FORMAT),
    time(67, "1e12", FRACTION),
    time(68, '"2026-02-30T00:00:00Z"', FORMAT),
    time(68, '"2026-01-02T03:04:05+99:99"', FORMAT),
    time(68, '"2026-01-02T03:04:60Z"', FORMAT),
    time(69, '"0001-01-01T00:00:00Z"', RANGE),
    time(69, '"9999-12-31T23:59:59-12:00"', RANGE),
    time(71, '"9998-01-01T00:00:00Z"', (422, "effective_date_in_future")),
]

MALFORMED, NOT_UTF8, BODY_TYPE = (400, "json_malformed"), (400, "json_not_utf8"), (422, "body_type")
JSON = [
    body(51, b'{"debit_account":"\xff"}', NOT_UTF8, "invalid UTF-8"),
    body(52, '{"debit_account":"a"}'.encode("utf-16"), NOT_UTF8, "UTF-16"),
    body(53, b'\xef\xbb\xbf{"debit_account":"a"}', MALFORMED, "a byte order mark"),
    body(61, '{"metadata":' + "[" * 500 + "]" * 500 + "}", (400, "json_too_deep"), "nesting 500"),
    body(62, "[" * 100_000 + "]" * 100_000, (400, "json_too_many_nodes"), "nesting 100,000"),
    body(90, b"", MALFORMED, "an empty body"),
    body(90, b"null", BODY_TYPE, "null"),
    body(90, b"[]", BODY_TYPE, "an array"),
    body(90, b'"text"', BODY_TYPE, "a text"),
    body(90, b'{"amount":1} x', MALFORMED, "trailing bytes"),
    body(90, b'{"amount":1 /* one */}', MALFORMED, "a comment"),
    body(90, b'{"amount":1,}', MALFORMED, "a trailing comma"),
    body(90, b"{'amount':1}", MALFORMED, "single quotes"),
]


@cases(*NUMBERS, *FIELDS, *TEXTS, *TIMES, *JSON)
def test_a_bad_body_is_refused_and_nothing_is_written(desk: Desk, case: Case) -> None:
    check(desk, case)


def test_row_29_every_bad_field_is_named_at_once(desk: Desk) -> None:
    bad = {"debit_account": "A B", "amount": 0, "currency": "eur", "colour": "red", "effective_at": "now"}
    problem = desk.caller.post("/transfers", bad).refused(422, "account_code_invalid")
    assert {(error["pointer"], error["code"]) for error in problem["errors"]} == {
        ("/debit_account", "account_code_invalid"),
        ("/credit_account", "field_missing"),
        ("/amount", "amount_not_positive"),
        ("/currency", "currency_unknown"),
        ("/colour", "unknown_field"),
        ("/effective_at", "timestamp_format"),
    }


def test_row_55_a_name_is_a_label_and_an_id_is_ascii(desk: Desk) -> None:
    lookalike = desk.account_with(name="p\u0430ypal").done()
    assert desk.account_with(name="paypal").done()["id"] != lookalike["id"]
    desk.account_with(id="p\u0430ypal").refused(422, "account_code_invalid")


def test_row_56_names_are_kept_in_one_normal_form(desk: Desk) -> None:
    """Names are labels and not unique, so that a twin is no conflict: it is kept as the same text."""
    composed, decomposed = "Zoë", "Zoe\u0308"
    assert [desk.account_with(name=name).done()["name"] for name in (composed, decomposed)] == [composed, composed]


@pytest.mark.parametrize(
    "text",
    ["__proto__", "constructor", "$where", "{{7*7}}", "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "'; --", "%n"],
)
def test_row_63_text_is_kept_as_it_is_and_means_nothing(desk: Desk, text: str) -> None:
    said: dict[str, Any] = {"description": text, "metadata": {text: text}}
    caller = desk.caller
    entry = caller.move(desk.rich, desk.dollars, 1, **said)
    entry.refused(422, "currency_mismatch")
    a, b = caller.open_account("a"), caller.open_account("b")
    recorded = caller.move(a, b, 1, **said).done()
    shown = caller.get(f"/entries/{recorded['id']}").done(200)
    assert [(found["description"], found["metadata"]) for found in (recorded, shown)] == [(text, {text: text})] * 2
    assert caller.statement(b)[0]["description"] == text
