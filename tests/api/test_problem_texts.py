"""Texts of problems: every refusal speaks both languages, and the one that the caller asks for is told."""

import json
import re
from typing import Any

import pytest
from fastapi import FastAPI

from api.app import make_api
from api.problem_texts_zh import TITLES
from api.problems import install, problem_body, problem_response
from api.text_rules import holds_card_number
from api.transport import Door
from ledger import errors
from ledger.errors import AccountFrozen, BodyTooLarge, FieldError, InsufficientFunds, Invalid, Refusal, TooLong
from ledger.languages import language_for
from tests.api.client import call

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, Refusal) and kind is not Refusal
]


def test_every_refusal_has_a_chinese_title_and_nothing_else_has() -> None:
    assert {kind.code() for kind in KINDS} - TITLES.keys() == set(), "write their titles into api/problem_texts_zh.py"
    assert TITLES.keys() - {kind.code() for kind in KINDS} == set(), "these refusals are gone"


@pytest.mark.parametrize("code", TITLES)
def test_a_chinese_title_is_one_chinese_sentence(code: str) -> None:
    title = TITLES[code]
    assert re.search(r"[\u4e00-\u9fff]", title)
    assert title.endswith("。")
    assert title == title.strip()
    assert not holds_card_number(title)


def test_no_two_refusals_say_the_same() -> None:
    assert len({*TITLES.values()}) == len(TITLES)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code())
def test_numbers_and_names_of_the_interface_are_the_same_in_both_languages(kind: type[Refusal]) -> None:
    assert set(re.findall(r"\d+", kind.title())) == set(re.findall(r"\d+", TITLES.get(kind.code(), kind.title())))


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("zh", "zh"),
        ("ZH-tw", "zh"),
        ("zh-Hans-CN,zh;q=0.9,en;q=0.5", "zh"),
        ("en-GB;q=0.8, zh-CN;q=0.9", "zh"),
        ("en;q=0.5,zh;q=0.501", "zh"),
        ("zh;q=0.5,en", "en"),
        # Both as much: the one that is named first.
        ("zh,en", "zh"),
        ("en,zh", "en"),
        # By name counts more than by `*`, and 0 is a no.
        ("*", "en"),
        ("*;q=0.5,en;q=0.1", "zh"),
        ("*,zh;q=0", "en"),
        ("zh;q=0", "en"),
        ("de", "en"),
        ("de,zh;q=0.1", "zh"),
        # What cannot be read does not count.
        ("zh;q=2", "en"),
        ("zh;q=0.1234,en;q=0.1", "en"),
        ("zhong", "en"),
        ("," * 100_000 + "zh", "en"),
    ],
)
def test_the_language_that_is_wished_for(accepted: str, language: str) -> None:
    assert language_for(accepted) == language


def test_a_refusal_without_a_detail_of_its_own_is_told_in_chinese_as_a_whole() -> None:
    body = problem_body(AccountFrozen(pointer="/debit_account", account="a"), "zh")
    assert (body["title"], body["detail"]) == ("账户已被冻结。", "账户已被冻结。")
    assert body["errors"] == [{"pointer": "/debit_account", "code": "account_frozen", "detail": "账户已被冻结。"}]
    assert body["account"] == "a"
    assert problem_response(AccountFrozen(), language="zh").headers["content-language"] == "zh"


def test_a_detail_that_says_more_stays_as_it_is() -> None:
    body = problem_body(InsufficientFunds("a has 3."), "zh")
    assert (body["title"], body["detail"]) == (TITLES["insufficient_funds"], "a has 3.")
    mixed = Invalid(errors=(FieldError("/a", "too_long", TooLong.title()), FieldError("/b", "too_long", "7 at most.")))
    errors_told: Any = problem_body(mixed, "zh")["errors"]
    assert [error["detail"] for error in errors_told] == [TITLES["too_long"], "7 at most."]


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ([], "en"),
        ([("accept-language", "zh-CN")], "zh"),
        ([("accept-language", "en;q=0.1"), ("accept-language", "zh")], "zh"),
    ],
)
def test_every_door_speaks_the_language_of_the_caller(accepted: list[tuple[str, str]], language: str) -> None:
    app = FastAPI()
    install(app)

    @app.post("/things")
    async def make_thing() -> None:
        raise AccountFrozen

    expected = {True: "账户已被冻结。", False: AccountFrozen.title()}[language == "zh"]
    answer = call(Door(app), "POST", "/things", json_body={}, headers=accepted)
    assert (answer.problem["title"], answer.headers["content-language"]) == (expected, language)
    assert answer.headers["vary"] == "Accept-Language"
    large = call(Door(app), "POST", "/things", json_body=[1] * 200_000, headers=accepted)
    assert (large.code, large.headers["content-language"]) == ("body_too_large", language)
    assert large.problem["title"] == (TITLES["body_too_large"] if language == "zh" else BodyTooLarge.title())


def test_the_catalogue_lists_every_code_for_anybody() -> None:
    api = make_api()
    api.state.world = None
    listed = json.loads(call(api, "GET", "/v1/problems").body)
    assert listed["next_cursor"] is None
    assert listed["data"] == [
        {
            "code": kind.code(),
            "status": kind.status,
            "retryable": kind.retryable,
            "titles": {"en": kind.title(), "zh": TITLES.get(kind.code(), kind.title())},
        }
        for kind in KINDS
    ]
    assert json.loads(call(api, "GET", "/v1/problems/not_caught_up").body) in listed["data"]
    unknown = call(api, "GET", "/v1/problems/nothing")
    assert (unknown.status, unknown.code) == (404, "problem_not_found")
