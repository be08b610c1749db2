"""Witnesses are named by an address and a key, and what is wrong with one is said without its address."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from api.settings import Settings
from commands.witnesses import Witness, parse_witnesses
from ledger.audit.signed_note import Cosigner, Signer

ONE, OTHER = (Cosigner(name, Ed25519PrivateKey.generate()).key for name in ("witness.example/w1", "witness.example/w2"))
LOG = Signer("ledger.example/shop", Ed25519PrivateKey.generate()).key


def test_each_has_an_address_and_a_key() -> None:
    assert parse_witnesses("") == parse_witnesses(" ,\n") == []
    text = f"http://127.0.0.1:8190/ {ONE},\n  https://witness.example/two {OTHER}\n"
    both = [Witness("http://127.0.0.1:8190", ONE), Witness("https://witness.example/two", OTHER)]
    assert parse_witnesses(text) == both
    assert Settings(witnesses=text).witness_list == both


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("http://secret.example", "witness 1 is not written as URL VKEY"),
        (f"http://secret.example {ONE} {OTHER}", "witness 1 is not written as URL VKEY"),
        (f"https://a.example {ONE}, ftp://secret.example {OTHER}", "witness 2 has no address"),
        (f"http:secret.example {ONE}", "witness 1 has no address"),
        ("http://secret.example witness", "the key of witness 1: a key is written as"),
        (f"http://secret.example {LOG}", "the key of witness 1 is that of a log"),
        (f"http://a.example {ONE}, http://secret.example {ONE}", "two witnesses are called witness.example/w1"),
    ],
    ids=range(7),
)
def test_what_is_wrong_is_said_when_the_service_starts(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as told:
        parse_witnesses(text)
    assert "secret" not in str(told.value)
    with pytest.raises(ValidationError, match=why):
        Settings(witnesses=text)
