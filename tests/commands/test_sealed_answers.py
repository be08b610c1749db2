"""Sealed answers: what the payer told stands nowhere as he told it, and reaches the channel as he told it."""

import pytest

from commands.channels.requests import ConfirmCharge, QueryCharge, SignContract
from commands.sealed_answers import AnswerSeal

SEAL = AnswerSeal(b"p" * 32)
CONFIRM = ConfirmCharge("cfm_1-1", "pay_1-1", "ch_1", SEAL.close("123456"), 6_000, "EUR")
SIGN = SignContract("sig_1-1", "con_1", "ann", "card", answer=SEAL.close("123456"))


def test_a_seal_hides_the_answer_and_gives_it_back() -> None:
    sealed = SEAL.close("123456")
    assert "123456" not in sealed
    assert SEAL.close("123456") != sealed
    assert SEAL.open(sealed) == "123456"


def test_the_channel_reads_what_the_payer_told() -> None:
    opened = SEAL.opened(CONFIRM)
    assert isinstance(opened, ConfirmCharge)
    assert opened.answer == "123456"
    signed = SEAL.opened(SIGN)
    assert isinstance(signed, SignContract)
    assert signed.answer == "123456"
    assert SEAL.opened(QueryCharge("pay_1-1")) == QueryCharge("pay_1-1")


def test_another_installation_cannot_open_it() -> None:
    with pytest.raises(ValueError, match="another installation"):
        AnswerSeal(b"q" * 32).open(SEAL.close("123456"))


def test_a_seal_that_was_changed_is_not_opened() -> None:
    sealed = SEAL.close("123456")
    with pytest.raises(ValueError, match="another installation"):
        SEAL.open(sealed[:-6] + ("A" if sealed[-6] != "A" else "B") + sealed[-5:])
