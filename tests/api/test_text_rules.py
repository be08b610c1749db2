"""Text rules: card numbers are found however they are written, and what only looks like one passes."""

import sys
import unicodedata
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.text_rules import (
    holds_card_number,
    holds_forbidden_character,
    is_plain_character,
    is_sensitive_name,
    normal_form,
)

FULL_WIDTH = {ord(digit): chr(0xFF10 + int(digit)) for digit in "0123456789"}
ARABIC_INDIC = {ord(digit): chr(0x660 + int(digit)) for digit in "0123456789"}
KNOWN_CARDS = ["4111111111111111", "5555555555554444", "378282246310005", "30569309025904", "6011111111111117"]


def with_check_digit(digits: str) -> str:
    """The digits and the last digit that makes them pass the Luhn check; the definition, not the code's way."""
    for last in "0123456789":
        number = digits + last
        total = 0
        for place, digit in enumerate(reversed(number)):
            value = int(digit) * (1 + place % 2)
            total += value // 10 + value % 10
        if total % 10 == 0:
            return number
    raise AssertionError("one of ten digits fits")


@st.composite
def card_numbers(draw: st.DrawFn) -> str:
    length = draw(st.integers(13, 19))
    first = draw(st.sampled_from("123456789"))
    return with_check_digit(first + draw(st.text("0123456789", min_size=length - 2, max_size=length - 2)))


@st.composite
def separated(draw: st.DrawFn, number: str) -> str:
    gap = draw(st.sampled_from([" ", "-", " - ", "\u00a0", "\u2011", "\u2013", "\u3000"]))
    size = draw(st.sampled_from([1, 3, 4, 6]))
    return gap.join(number[at : at + size] for at in range(0, len(number), size))


@st.composite
def ibans(draw: st.DrawFn) -> str:
    country, pattern = draw(
        st.sampled_from(
            [("DE", "9" * 18), ("GB", "AAAA" + "9" * 14), ("FR", "9" * 10 + "X" * 11 + "99"), ("NO", "9" * 11)]
        )
    )
    letters, both = (
        st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        st.sampled_from("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    )
    kinds = {"9": st.sampled_from("0123456789"), "A": letters, "X": both}
    account = "".join(draw(kinds[kind]) for kind in pattern)
    numeric = "".join(str(int(character, 36)) for character in f"{account}{country}00")
    return f"{country}{98 - int(numeric) % 97:02}{account}"


@pytest.mark.parametrize("number", KNOWN_CARDS)
def test_the_test_numbers_of_the_card_schemes_are_found(number: str) -> None:
    assert holds_card_number(f"paid with {number}, thanks")


@given(card_numbers(), st.data())
def test_a_card_number_is_found_in_every_spelling(number: str, data: st.DataObject) -> None:
    spelling = data.draw(st.one_of(st.just(number), separated(number)))
    digits = data.draw(st.sampled_from([{}, FULL_WIDTH, ARABIC_INDIC]))
    before = data.draw(st.sampled_from(["", "card ", "№", "12 ", "a", "é: ", "x-"]))
    after = data.draw(st.sampled_from(["", " 12/28", "№", " 12", "a", ", é", "-x"]))
    assert holds_card_number(f"{before}{spelling.translate(digits)}{after}")


@given(card_numbers())
def test_a_number_with_one_wrong_digit_is_no_card_number(number: str) -> None:
    wrong = str((int(number[5]) + 1) % 10)
    assert not holds_card_number(f"{number[:5]}{wrong}{number[6:]}")


@given(st.uuids(), st.sampled_from(["", "ent_", "order ", "("]))
def test_a_uuid_is_never_a_card_number(uuid: UUID, before: str) -> None:
    for spelling in (str(uuid), uuid.hex, str(uuid).upper(), uuid.hex.upper()):
        assert not holds_card_number(before + spelling)


def test_uuids_whose_digits_pass_luhn_are_not_card_numbers() -> None:
    digits_only = f"{KNOWN_CARDS[0][:8]}-4111-4111-8111-{KNOWN_CARDS[0][:12]}"
    for uuid in (digits_only, f"{'a' * 19}-{KNOWN_CARDS[0][4:]}".replace("a" * 19, "aaaaaaaa-aaaa-aaaa-4111")):
        assert str(UUID(uuid)) == uuid
        assert not holds_card_number(uuid)
        assert holds_card_number(uuid.replace("aaaaaaaa-aaaa-aaaa-", "card ")) == uuid.startswith("a")


@given(ibans(), st.booleans(), st.sampled_from(["", "from ", "NO9386011117947 "]))
def test_an_iban_is_never_a_card_number(iban: str, grouped: bool, before: str) -> None:
    written = " ".join(iban[at : at + 4] for at in range(0, len(iban), 4)) if grouped else iban
    assert not holds_card_number(f"{before}{written}")
    assert not holds_card_number(f"{before}{written.lower()} to us")


def test_a_card_number_beside_an_iban_is_found() -> None:
    assert not holds_card_number("NO93 8601 1117 947")
    assert holds_card_number("NO93 8601 1117 947 or 4111 1111 1111 1111")
    assert holds_card_number("NO93 4111 1111 1111 1111"), "not the check digits of an IBAN"
    assert holds_card_number("NO" + with_check_digit("9386011117947")), "longer than the IBANs of its country"
    assert holds_card_number("ZZ93 4111 1111 1111 1111"), "not a country"


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T10:20:30.123456-05:00",
        "2026-11-21 10:20",
        "0000000000000000",
        "12345678901234567890",
        "4111 1111 1111",
    ],
    ids=["time", "date and time", "zeros", "twenty digits", "twelve digits"],
)
def test_other_numbers_pass(text: str) -> None:
    assert not holds_card_number(text)


def test_a_long_text_of_digits_is_judged_in_linear_time() -> None:
    assert not holds_card_number("1 " * 100_000)


def test_control_format_surrogate_and_line_characters_are_forbidden_and_no_letters_are() -> None:
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        expected = unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        # Characters that a newer Unicode made format characters are refused before this Python knows them.
        if holds_forbidden_character(character) != expected and unicodedata.category(character) != "Cn":
            raise AssertionError(f"U+{code:04X} is judged wrongly")


def test_a_plain_character_cannot_join_digits_to_a_card_number() -> None:
    """What the quick way of the JSON gate relies on."""
    for code in range(128, sys.maxunicode + 1):
        character = chr(code)
        if is_plain_character(character):
            assert not holds_forbidden_character(character)
            assert not holds_card_number(f"41111111{character}11111111"), f"U+{code:04X}"


@pytest.mark.parametrize(
    "name",
    [
        "cvv",
        "CVV2",
        "card_cvc",
        "cardCvc2",
        "pin",
        "PIN",
        "pin_block",
        "track1",
        "track_2",
        "Track2Data",
        "security-code",
        "\uff43\uff56\uff56",
    ],
)
def test_names_of_sensitive_fields_are_known_in_every_spelling(name: str) -> None:
    assert is_sensitive_name(name)


@pytest.mark.parametrize(
    "name", ["shipping", "pin_code_area", "tracking", "spin", "description", "card", "received_at"]
)
def test_ordinary_names_are_not_sensitive(name: str) -> None:
    assert not is_sensitive_name(name)


def test_names_that_look_the_same_become_the_same() -> None:
    assert normal_form("Cafe\u0301") == normal_form("Caf\u00e9") == "Caf\u00e9"
    assert normal_form("plain") == "plain"
