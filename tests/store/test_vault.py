"""The vault: what is sealed opens with its subject's key alone, and what cannot be opened is said to be erased."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.events.customers import CustomerCreated
from ledger.events.payments import Method, PaymentCreated
from ledger.events.payouts import CUSTOMER, Destination, PayoutCreated
from ledger.personal import PERSONAL, personal_values, sealed, sealed_answer, subject_of, with_marks
from ledger.store.codec import EVENT_TYPES
from ledger.store.connection import Database, in_book
from ledger.store.vault import Cipher, Keeper, Vault, WrongPepper
from ledger.tokens import ERASED, is_token, masked, may_hold_tokens, subjects_in

BOOK, ANN, BOB = "demo", "customer/ann", "customer/bob"
VAULT = Vault(b"a pepper of the tests")
KEY = VAULT.new_key(BOOK, ANN)
ANNS = VAULT.cipher(BOOK, ANN, KEY)


def opened(body: bytes, keys: dict[str, bytes] | None = None, *, vault: Vault = VAULT, book: str = BOOK) -> object:
    return msgspec.json.decode(vault.opened_with(book, body, {ANN: KEY} if keys is None else keys))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_sealed_comes_back_in_any_json(text: str) -> None:
    body = msgspec.json.encode({"a": [ANNS.close(text)], "b": "clear"})
    assert opened(body) == {"a": [text], "b": "clear"}
    assert VAULT.opened_with(BOOK, body, {ANN: KEY}) == msgspec.json.encode({"a": [text], "b": "clear"})


def test_the_same_value_never_has_the_same_token() -> None:
    assert ANNS.close("x") != ANNS.close("x")
    assert is_token(ANNS.close("x"))
    assert subjects_in(ANNS.close("x").encode()) == [ANN]


def test_without_its_key_or_with_another_it_is_erased() -> None:
    body = msgspec.json.encode(ANNS.close("Ann"))
    assert opened(body, {}) == ERASED
    assert opened(body, {ANN: VAULT.new_key(BOOK, ANN)}) == ERASED


def test_a_token_under_another_subject_or_in_another_book_is_erased() -> None:
    keys = {ANN: KEY, BOB: VAULT.new_key(BOOK, BOB)}
    moved = ANNS.close("Ann").replace(ANN, BOB)
    assert opened(msgspec.json.encode(moved), keys) == ERASED
    with pytest.raises(WrongPepper):
        opened(msgspec.json.encode(ANNS.close("Ann")), book="other")


def test_the_same_key_opens_nothing_of_another_book_or_subject() -> None:
    key = bytes(32)
    box = Cipher(BOOK, ANN, key).close("Ann").split("~")[3]
    assert Cipher(BOOK, ANN, key).open(box) == "Ann"
    assert Cipher("other", ANN, key).open(box) is None
    assert Cipher(BOOK, BOB, key).open(box) is None


def test_an_altered_token_is_erased_and_never_another_value() -> None:
    token = ANNS.close("Ann Shirley")
    for at in range(len("~s1~customer/ann~"), len(token) - 1):
        altered = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        if altered[:-3] != token[:-3]:  # The last character has bits that mean nothing.
            assert opened(msgspec.json.encode(altered)) == ERASED


def test_another_pepper_is_told_apart_from_an_erasure() -> None:
    with pytest.raises(WrongPepper):
        opened(msgspec.json.encode(ANNS.close("Ann")), vault=Vault(b"another pepper of tests"))


def test_a_masked_token_is_told_by_its_last_characters() -> None:
    token = masked(ANNS.close("DE89370400440532013000"))
    assert opened(msgspec.json.encode(token)) == "*" * 18 + "3000"
    assert opened(msgspec.json.encode(masked(ANNS.close("abc")))) == "***"
    assert Destination("bank_account", account_number=ANNS.close("DE1")).masked().account_number.startswith("~m1~")


# --- what is personal, and whose it is --------------------------------------------------------------------------------

CREATED = PaymentCreated(
    id="pay_1",
    merchant="shop",
    customer="ann",
    amount=1,
    currency="EUR",
    product="quick_pay",
    method=Method("card", "tok_1", {"device": "d1", "bin": "424242", "country": "DE"}),
    order_reference="o1",
    fee=0,
    description="pens",
    client={"ip": "198.51.100.7", "country": "DE", "email": "Ann@example.org", "": "kept"},
)


def test_of_a_payment_the_payers_values_are_sealed_and_what_decisions_go_by_is_not() -> None:
    assert set(personal_values(CREATED)) == {"d1", "pens", "198.51.100.7", "Ann@example.org", "kept"}
    closed = sealed(CREATED, lambda text: ANNS.close(text))
    assert isinstance(closed, PaymentCreated)
    assert closed.client["country"] == "DE"
    assert closed.method.details["bin"] == "424242"
    assert personal_values(closed) == []
    assert sealed(closed, lambda text: ANNS.close(text)) == closed
    assert opened(msgspec.json.encode(closed)) == msgspec.to_builtins(CREATED)


def test_the_same_value_has_the_same_mark_in_one_book_and_kind_alone() -> None:
    marked = with_marks(CREATED, lambda kind, value: VAULT.mark(BOOK, kind, value))
    assert isinstance(marked, PaymentCreated)
    assert marked.marks.keys() == {"ip", "email", "device"}
    assert marked.marks["email"] == VAULT.mark(BOOK, "email", "ann@example.org")
    others = {VAULT.mark("x", "ip", "1"), VAULT.mark(BOOK, "ip", "1"), VAULT.mark(BOOK, "device", "1")}
    assert len(others | {Vault(b"another pepper of tests").mark(BOOK, "ip", "1")}) == 4


def test_a_value_is_of_the_customer_and_of_nobody_else() -> None:
    payout = PayoutCreated("po_1", CUSTOMER, "ann", 1, "EUR", 0, "bank", Destination("bank_account", "DE1"))
    assert subject_of("po_1", payout, []) == ANN
    assert subject_of(ANN, CustomerCreated("ann", "Ann"), []) == ANN
    assert subject_of("pay_1", CREATED, []) == ANN
    guest = msgspec.structs.replace(CREATED, customer=None)
    assert subject_of("pay_1", guest, []) == "pay_1"


# Fields that may hold words about a person, by what they are called.
_TELLING = {
    "name",
    "description",
    "client",
    "details",
    "evidence",
    "sent_to",
    "destination",
    "email",
    "phone",
    "address",
}
# They name accounts, companies, files and rules, or lie in what was sealed when it was recorded.
_OF_NOBODY = {
    "accounts.opened.v1.name",
    "merchants.created.v1.name",
    "principals.created.v1.name",
    "report_files.received.v1.name",
    "webhooks.endpoint_created.v1.description",
    "webhooks.endpoint_changed.v1.description",
    "coins.given_back.v1.address",
    # Texts of whoever writes to the books, about accounts: told in the documents to hold nothing personal.
    "transfers.posted.v1.description",
    "entries.posted.v1.description",
    "holds.placed.v1.description",
    "holds.captured.v1.description",
    "shares.shared.v1.description",
}


def test_every_field_that_tells_of_people_is_sealed_or_known_not_to() -> None:
    found = {
        f"{event_type.topic}.{field.name}"
        for event_type in EVENT_TYPES
        for field in msgspec.structs.fields(event_type)
        if field.name in _TELLING and not any(one.path[0] == field.name for one in PERSONAL.get(event_type, ()))
    }
    assert found <= _OF_NOBODY, found - _OF_NOBODY


def test_an_answer_is_kept_with_tokens_where_it_repeats_what_was_sealed_and_nowhere_else() -> None:
    answer = {"currency": "EUR", "name": "EUR", "metadata": {"x": ["EUR", 1]}, "id": "EUR"}
    assert sealed_answer(answer, {"EUR": "~t~"}) == {
        "currency": "EUR",
        "name": "~t~",
        "metadata": {"x": ["~t~", 1]},
        "id": "EUR",
    }


def test_a_text_from_outside_that_begins_like_a_token_is_known() -> None:
    assert may_hold_tokens(f"see {ANNS.close('x')}")
    assert may_hold_tokens("~m1~")
    assert not may_hold_tokens("about ~1~ o'clock")


# --- keys in the database ---------------------------------------------------------------------------------------------


def test_keys_are_made_once_and_erased_for_ever(database: Database, book: str) -> None:
    with database.connect() as connection:
        keeper = Keeper(VAULT, book)
        keeper.read(connection, [ANN, BOB])
        token = keeper.cipher(ANN).close("Ann")
        keeper.cipher(BOB)
        keeper.unmake(BOB)
        keeper.write(connection)
        rows = connection.execute(in_book("SELECT subject FROM {schema}.subject_keys", book)).fetchall()
        assert rows == [(ANN,)]

        later = Keeper(VAULT, book)
        later.read(connection, [ANN])
        assert later.opened([token]) == ["Ann"]
        later.erase(ANN)
        later.unerase(ANN, keeper.known[ANN])
        later.write(connection)
        later.erase(ANN)
        later.write(connection)

        last = Keeper(VAULT, book)
        last.read(connection, [ANN])
        assert last.opened([token]) == [ERASED]
        # What is told later has another key, and does not bring back what was erased.
        assert last.opened([last.cipher(ANN).close("again"), token]) == ["again", ERASED]
