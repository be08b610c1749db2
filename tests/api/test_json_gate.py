"""The JSON gate: each bad input has its refusal and its place, and what passes is what `json.loads` would read."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api import json_gate
from api.json_gate import parse
from api.text_rules import holds_card_number, holds_forbidden_character, is_sensitive_name
from ledger.errors import (
    BodyTooLarge,
    JsonDuplicateKey,
    JsonFractionalNumber,
    JsonIntegerTooLarge,
    JsonMalformed,
    JsonNonFinite,
    JsonNotUtf8,
    JsonTooDeep,
    JsonTooManyNodes,
    PanNotAllowed,
    Refusal,
    SensitiveFieldNotAllowed,
    TextForbiddenCharacter,
)

KIB = 1024
PAN = "4111111111111111"


def read(raw: bytes | str, **bounds: int) -> Any:
    return parse(raw if isinstance(raw, bytes) else raw.encode(), **{"max_bytes": 256 * KIB, **bounds})


def refusal(raw: bytes | str, **bounds: int) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read(raw, **bounds)
    return caught.value


# The number is the row of the list of bad inputs that the interface promises an answer to.
ROWS: list[tuple[int, bytes | str, type[Refusal], str | None]] = [
    (4, '{"amount": 1.0}', JsonFractionalNumber, "/amount"),
    (5, '{"amount": 1.5}', JsonFractionalNumber, "/amount"),
    (11, '{"amount": NaN}', JsonNonFinite, "/amount"),
    (12, '{"amount": Infinity}', JsonNonFinite, "/amount"),
    (12, '{"amount": [0, -Infinity]}', JsonNonFinite, "/amount/1"),
    (13, '{"amount": 1e2}', JsonFractionalNumber, "/amount"),
    (14, '{"amount": 1e308}', JsonFractionalNumber, "/amount"),
    (15, '{"amount": 1e400}', JsonFractionalNumber, "/amount"),
    (16, '{"amount": 9223372036854775808}', JsonIntegerTooLarge, "/amount"),
    (16, '{"amount": -9223372036854775808}', JsonIntegerTooLarge, "/amount"),
    (17, '{"amount": 18446744073709551616}', JsonIntegerTooLarge, "/amount"),
    (18, '{"amount": ' + "9" * 5_000 + "}", JsonIntegerTooLarge, "/amount"),
    (18, '{"amount": ' + "9" * 1_000 + "}", JsonIntegerTooLarge, "/amount"),
    (19, '{"amount": 9007199254740993.0}', JsonFractionalNumber, "/amount"),
    (28, '{"amount": 1, "amount": 2}', JsonDuplicateKey, "/amount"),
    (28, '{"a": [{"b": 1, "b": 1}]}', JsonDuplicateKey, "/a/0/b"),
    (28, r'{"amount": 1, "\u0061mount": 2}', JsonDuplicateKey, "/amount"),
    (47, r'{"note": "a\u0000b"}', TextForbiddenCharacter, "/note"),
    (47, b'{"note": "a\0b"}', TextForbiddenCharacter, None),
    (48, r'{"metadata": {"a\u0000": "b"}}', TextForbiddenCharacter, "/metadata"),
    (48, r'{"metadata": {"a": "\u0000"}}', TextForbiddenCharacter, "/metadata/a"),
    (49, r'{"note": "\ud800"}', TextForbiddenCharacter, "/note"),
    (49, r'{"note": "\udc00\ud800"}', TextForbiddenCharacter, "/note"),
    (50, r'{"metadata": {"a": "\udfff"}}', TextForbiddenCharacter, "/metadata/a"),
    (51, b'{"note": "\xff"}', JsonNotUtf8, None),
    (51, b'{"note": "\xed\xa0\x80"}', JsonNotUtf8, None),
    (52, '{"note": 1}'.encode("utf-16"), JsonNotUtf8, None),
    (52, '{"note": 1}'.encode("utf-16-le"), JsonNotUtf8, None),
    (52, '{"note": 1}'.encode("utf-32-be"), JsonNotUtf8, None),
    (53, b'\xef\xbb\xbf{"note": 1}', JsonMalformed, None),
    (54, '{"name": "a\u202eb"}', TextForbiddenCharacter, "/name"),
    (54, '{"name": "a\u200bb"}', TextForbiddenCharacter, "/name"),
    (54, '{"name": "a\x7fb"}', TextForbiddenCharacter, "/name"),
    (54, '{"name": "a\x85b"}', TextForbiddenCharacter, "/name"),
    (54, r'{"name": "a\nb"}', TextForbiddenCharacter, "/name"),
    (54, '{"name": "a\tb"}', TextForbiddenCharacter, None),
    (57, b'{"note": "' + b"x" * 5_000_000 + b'"}', BodyTooLarge, None),
    (58, json.dumps({"metadata": {f"key {i}": "" for i in range(300_000)}}), BodyTooLarge, None),
    (60, '{"metadata": {"a": NaN}}', JsonNonFinite, "/metadata/a"),
    (60, '{"metadata": {"a": 1e400}}', JsonFractionalNumber, "/metadata/a"),
    (61, "[" * 500 + "]" * 500, JsonTooDeep, "/0" * 16),
    (61, '{"a":' * 500 + "1" + "}" * 500, JsonTooDeep, "/a" * 16),
    (61, "[" * 3_000 + "]" * 3_000, JsonTooDeep, None),
    (62, "[" * 100_000 + "]" * 100_000, JsonTooManyNodes, None),
    (62, "[" + "{}," * 4_999 + "{}]", JsonTooManyNodes, None),
    (64, json.dumps({"note": PAN}), PanNotAllowed, "/note"),
    (64, json.dumps({"reference": "4111 1111 1111 1111"}), PanNotAllowed, "/reference"),
    (64, json.dumps({"metadata": {"card": "4111-1111-1111-1111"}}), PanNotAllowed, "/metadata/card"),
    (64, '{"note": "' + "\uff14" + "\uff11" * 15 + '"}', PanNotAllowed, "/note"),
    (64, r'{"note": "\u0034111111111111111"}', PanNotAllowed, "/note"),
    (64, json.dumps({"metadata": {PAN: "x"}}), PanNotAllowed, "/metadata"),
    (64, json.dumps({"a": str(2**60), "note": PAN}), PanNotAllowed, "/note"),
    (64, json.dumps({"a": f"aaaaaaaa-aaaa-aaaa-4111-{PAN[4:]}", "note": PAN}), PanNotAllowed, "/note"),
    (65, '{"method": {"cvv": "123"}}', SensitiveFieldNotAllowed, "/method/cvv"),
    (65, '{"metadata": {"PIN": "1234"}}', SensitiveFieldNotAllowed, "/metadata/PIN"),
    (65, '{"list": [{"track2": ""}]}', SensitiveFieldNotAllowed, "/list/0/track2"),
    (90, b"", JsonMalformed, None),
    (90, b"  ", JsonMalformed, None),
    (90, b"{} {}", JsonMalformed, None),
    (90, b"{}x", JsonMalformed, None),
    (90, b"{} // a comment", JsonMalformed, None),
    (90, b'{"a": 1,}', JsonMalformed, None),
    (90, b"{'a': 1}", JsonMalformed, None),
    (90, b'{"a": 01}', JsonMalformed, None),
    (90, b'{"a": +1}', JsonMalformed, None),
    (90, b'{"a": "\\x41"}', JsonMalformed, None),
]


@pytest.mark.parametrize(("row", "raw", "kind", "place"), ROWS, ids=lambda value: str(value)[:40])
def test_a_bad_body_has_its_refusal_and_its_place(
    row: int, raw: bytes | str, kind: type[Refusal], place: str | None
) -> None:
    refused = refusal(raw)
    assert (type(refused), [error.pointer for error in refused.errors]) == (kind, [] if place is None else [place])


def test_a_byte_order_mark_is_named() -> None:
    assert "byte order mark" in refusal(b"\xef\xbb\xbf{}").detail


@pytest.mark.parametrize("raw", ["null", "[]", "{}", "true", "7", '""', ' {"a" : [ ] } ', "-0"])
def test_any_json_value_passes(raw: str) -> None:
    assert read(raw) == json.loads(raw)


@pytest.mark.parametrize(
    "text", ["__proto__", "constructor", "$where", "{{7*7}}", "=cmd|' /C calc'!A0", "<script>", "p\u0430ypal"]
)
def test_what_other_programs_might_run_is_text_here(text: str) -> None:
    body = {"name": text, text: text, "metadata": {text: [text]}}
    assert read(json.dumps(body)) == read(json.dumps(body, ensure_ascii=False)) == body


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63) + 1, 4111111111111111, 10**18, 0])
def test_an_integer_is_no_card_number(number: int) -> None:
    assert read(json.dumps({"amount": number})) == {"amount": number}


def test_the_bounds_are_the_callers() -> None:
    assert read(b'"1234"', max_bytes=6) == "1234"
    assert refusal(b'"1234"', max_bytes=5).facts == {"max_bytes": 5}
    assert read("[[1]]", max_depth=2) == [[1]]
    assert refusal("[[[1]]]", max_depth=2).errors[0].pointer == "/0/0"
    assert read("[1,2,3]", max_nodes=3) == [1, 2, 3]
    assert refusal("[1,2,3,4]", max_nodes=3).facts == {"max_nodes": 3}


def test_brackets_and_commas_in_a_text_are_no_nodes_and_no_depth() -> None:
    body = {"a": '[{,"' * 2_000, "b\\": ["]}" * 2_000, '\\"[,', "\\\\"]}
    assert read(json.dumps(body), max_nodes=7, max_depth=2) == body
    assert isinstance(refusal(json.dumps(body), max_nodes=4), JsonTooManyNodes)


def test_a_pointer_is_escaped_and_repeats_nothing_that_is_long_or_forbidden() -> None:
    assert refusal('{"a/b~c": [{"": 1.5}]}').errors[0].pointer == "/a~1b~0c/0/"
    assert refusal(json.dumps({"a": {"k" * 65: 1.5}})).errors[0].pointer == "/a"
    assert refusal(f'{{"a": {{"{PAN}": 1, "{PAN}": 2}}}}').errors[0].pointer == "/a"


def test_a_refusal_repeats_nothing_of_the_body() -> None:
    for raw in (
        '{"canary": "canary\\u0000"}',
        '{"a": canary}',
        f'{{"a": "canary {PAN}"}}',
        '{"a": 1.5, "b": "canary"}',
    ):
        refused = refusal(raw)
        said = f"{refused.detail}{refused.facts}{[error.detail for error in refused.errors]}"
        assert "canary" not in said
        assert PAN not in said


ALLOWED_TEXT = st.text().filter(lambda text: not holds_forbidden_character(text) and not holds_card_number(text))
ALLOWED_KEY = ALLOWED_TEXT.filter(lambda key: not is_sensitive_name(key))
ALLOWED = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | ALLOWED_TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(ALLOWED_KEY, inner),
    max_leaves=25,
)


@given(ALLOWED, st.booleans(), st.sampled_from([None, 0, 20, "\t"]))
def test_every_allowed_value_passes_unchanged(value: Any, ascii_only: bool, indent: int | str | None) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert parse(raw, max_bytes=len(raw), max_depth=100) == json.loads(raw)


SUSPECT = st.text('4111 -\u00a0\u2013\uff141\u200b\x7fé€"\\{[,:0', min_size=1) | st.sampled_from(
    [PAN, "4111 1111 1111 1111", "1" * 30, "aaaaaaaa-aaaa-aaaa-4111-111111111111", "NO93 8601 1117 947", "\U0001f600"]
)
SUSPECT_BODY = st.recursive(
    SUSPECT | st.integers(-(10**20), 10**20) | st.floats() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(SUSPECT | st.sampled_from(["cvv", "pin"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=500)
@given(SUSPECT_BODY, st.booleans(), st.sampled_from([None, 14]))
def test_the_quick_way_says_what_the_careful_way_says(value: Any, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)

    def outcome(judge: Any) -> Any:
        try:
            return judge()
        except Refusal as refused:
            return type(refused), refused.errors

    careful = outcome(lambda: json_gate._parse_carefully(text, json_gate.MAX_DEPTH))
    assert outcome(lambda: read(text)) == careful


@given(st.binary(max_size=40) | st.text('{}[]",:\\u0123456789eE.+-tfn \u00e9').map(str.encode))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        value = read(raw)
    except Refusal:
        return
    assert value == json.loads(raw)


def test_many_objects_of_many_shapes_do_not_fill_the_memory() -> None:
    for start in range(0, 5_000, 100):
        read(json.dumps([{f"key {at}": at} for at in range(start, start + 100)]))
    assert len(json_gate._harmless_shapes) <= 1_024
    assert isinstance(refusal('[{"key 1": 1}, {"cvv": 1}]'), SensitiveFieldNotAllowed)
    assert isinstance(refusal('[{"key 1": 1}, {"cvv": 1}]'), SensitiveFieldNotAllowed), "remembered as harmless"


@pytest.mark.parametrize("number", ["+8613800138002", "+4915112345678"])
def test_a_telephone_number_may_look_like_a_card_number_where_one_is_asked_for(number: str) -> None:
    assert holds_card_number(number)
    body = {"method": {"phone": number}}
    assert parse(json.dumps(body).encode(), max_bytes=1_000) == body
    for elsewhere in ({"token": number}, {"phone": number[1:]}, {"phone": {"token": number}}, [number]):
        with pytest.raises(PanNotAllowed):
            parse(json.dumps(elsewhere).encode(), max_bytes=1_000)


def test_no_card_number_of_today_passes_for_a_telephone_number() -> None:
    for card in ("4242424242424242", "378282246310005", "30569309025904"):
        with pytest.raises(PanNotAllowed):
            parse(json.dumps({"phone": f"+{card}"}).encode(), max_bytes=1_000)
