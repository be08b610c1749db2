"""Erasure over HTTP (P21): no table holds a word of the person, and everything that was recorded still stands."""

import json
import time
from typing import Any

import pytest
from psycopg.sql import SQL, Identifier

from ledger.store.connection import in_book
from ledger.store.schema import schema_of
from projections.rebuild import rebuild
from projections.recount import compare_balances
from projections.register import BY_NAME
from tests.journeys.aftermath import dispute, move_dispute
from tests.journeys.caller import fresh, in_seconds
from tests.journeys.parties import AT_ONCE
from tests.journeys.payers import becomes
from tests.journeys.service import Service
from tests.journeys.test_bad_inputs_payments import payment

ERASED = "[erased]"
PERSON = {
    "name": "Anneliese Quitterbaum",
    "email": "anneliese@quitterbaum.example",
    "phone": "+4915199887766",
    "street": "Quitterweg 17",
    "ip": "198.51.100.77",
    "device": "dev-quitter-4711",
    "description": "Insulin pens for Anneliese",
    "account": "DE02500105170137075030",
    "holder": "A. Quitterbaum",
    "evidence": "Signed for by Anneliese at the door",
    "note": "Rent from Anneliese",
}
WORDS = sorted({*PERSON.values(), "Quitter", "quitter", "0137075030", "99887766"})
WHY = {"reason": "asked for in writing", "legal_basis": "gdpr_17_1_b"}


class Story:
    """One book with a person in it whose matters are all over, and with another person."""

    def __init__(self, service: Service) -> None:
        self.service, self.book = service, service.new_book()
        self.caller = service.caller(self.book)
        seller = {"id": "shop", "name": "Shop", "fee": {"percent_bps": 0, "fixed": 0}, "settlement_currency": "EUR"}
        self.caller.post("/merchants", {**seller, "settlement": AT_ONCE}).done()
        self.ann, self.bob = fresh("person"), fresh("person")
        self.key, self.payment_key = fresh("key"), fresh("key")
        self.customer = {
            "id": self.ann,
            "name": PERSON["name"],
            "metadata": {"email": PERSON["email"], "phone": PERSON["phone"], "street": PERSON["street"]},
        }
        self.created = self.caller.post("/customers", self.customer, key=self.key).done()
        self.caller.post("/customers", {"id": self.bob, "name": "Bob Plain", "metadata": {"x": "bobs word"}}).done()
        for name in (self.ann, self.bob):
            self.caller.post(f"/customers/{name}/wallets", {"currency": "EUR"}).done()
        self.order = payment(
            "shop",
            customer=self.ann,
            description=PERSON["description"],
            client={"ip": PERSON["ip"], "email": PERSON["email"], "device": PERSON["device"], "country": "DE"},
        )
        self.paid = self.caller.post("/payments", self.order, key=self.payment_key).done()
        self.bobs = self.caller.post("/payments", payment("shop", customer=self.bob, description="bobs book")).done()

    def end_everything(self) -> None:
        """A phone's bill, a dispute that is won, and a wallet that is filled, given from and emptied."""
        caller, service = self.caller, self.service
        method = {"type": "carrier_billing", "phone": PERSON["phone"]}
        billed = payment("shop", customer=self.ann, amount=4_000, product="mobile_bill", method=method)
        asked = caller.post("/payments", billed).done()
        caller.post(f"/payments/{asked['id']}/confirm", {"answer": "123456"})
        caller.position = becomes(service, caller, asked, "succeeded")["position"]
        opened = move_dispute(service, caller, self.paid, evidence_due_at=in_seconds(60))
        evidence = {"evidence": {"delivery": PERSON["evidence"]}}
        caller.post(f"/disputes/{opened['id']}/challenge", evidence).done(200)
        service.wait_until(lambda: dispute(caller, self.paid)["answers"][-1]["status"] == "delivered")
        move_dispute(service, caller, self.paid, status="won")
        top_up = {"amount": 5_000, "method": {"type": "card"}}
        caller.post(f"/wallets/{self.ann}/EUR/top-ups", top_up).done()
        gift = {"to_customer": self.bob, "amount": 1_000, "description": PERSON["note"]}
        caller.post(f"/wallets/{self.ann}/EUR/transfers", gift).done()

    def empty_the_wallet(self) -> dict[str, Any]:
        destination = {"type": "bank_account", "account_number": PERSON["account"], "name": PERSON["holder"]}
        sent = self.caller.post(f"/wallets/{self.ann}/EUR/withdrawals", {"amount": 4_000, "destination": destination})
        payout = f"/payouts/{sent.body['id']}"
        self.service.wait_until(lambda: self.caller.get(payout).done(200)["status"] == "paid", patience_s=30)
        shown: dict[str, Any] = self.caller.get(payout).done(200)
        return shown

    def hits(self, words: list[str] = WORDS) -> list[str]:
        """Where one of the words stands: in any column of any table of the book, its bytes read as they are."""
        found = []
        with self.service.database.owner() as connection:
            names = "SELECT table_name FROM information_schema.tables WHERE table_schema = %s ORDER BY table_name"
            for (table,) in connection.execute(names, (schema_of(self.book),)).fetchall():
                place = Identifier(schema_of(self.book), table)
                connection.execute(SQL("VACUUM FULL {}").format(place))
                for row in connection.execute(SQL("SELECT * FROM {}").format(place)).fetchall():
                    text = " ".join(
                        bytes(v).decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in row
                    )
                    found += [f"{table}: {word}" for word in words if word in text]
        return found

    def log(self) -> list[Any]:
        with self.service.database.owner() as connection:
            statement = (
                "SELECT notification_id, state, metadata FROM {schema}.events WHERE notification_id <= %s ORDER BY 1"
            )
            return connection.execute(in_book(statement, self.book), (self.last,)).fetchall()

    last = 0


@pytest.fixture(scope="module")
def story(service: Service) -> Story:
    told = Story(service)
    told.end_everything()
    return told


def test_erasing_waits_until_nothing_of_the_person_is_open_and_then_leaves_no_word(story: Story) -> None:
    caller = story.caller
    problem = caller.post(f"/customers/{story.ann}/erase", WHY).refused(409, "customer_has_open_matters")
    assert problem["accounts"] == [f"sys:2010:{story.ann}:eur"]
    payout = story.empty_the_wallet()
    assert payout["destination"]["account_number"].endswith(PERSON["account"][-4:])
    assert payout["destination"]["name"] == PERSON["holder"]
    # All of it can still be read, and nowhere does it stand as it was told.
    assert caller.get(f"/customers/{story.ann}").done(200)["name"] == PERSON["name"]
    assert caller.get(f"/payments/{story.paid['id']}").done(200)["description"] == PERSON["description"]
    assert story.hits() == []
    assert {hit.partition(":")[0] for hit in story.hits(["order-", story.ann])} > {"events", "order_status"}
    story.last = caller.position
    before = story.log()

    erased = caller.post(f"/customers/{story.ann}/erase", WHY).done(200)
    assert (erased["id"], erased["legal_basis"]) == (story.ann, WHY["legal_basis"])
    again = caller.post(f"/customers/{story.ann}/erase", WHY).done(200)
    assert again == erased

    shown = caller.get(f"/customers/{story.ann}").done(200)
    assert (shown["name"], set(shown["metadata"].values())) == (ERASED, {ERASED})
    assert caller.get(f"/payments/{story.paid['id']}").done(200)["description"] == ERASED
    assert ERASED in caller.get(f"/payouts/{payout['id']}").done(200)["destination"].values()
    assert PERSON["evidence"] not in str(dispute(caller, story.paid))
    for listed in ("/payments", "/payouts", "/disputes", "/events"):
        raw = caller.get(listed, limit=500).raw.decode()
        assert not [word for word in WORDS if word in raw], listed
    assert story.hits() == []
    assert story.log() == before

    replayed = caller.post("/customers", story.customer, key=story.key)
    assert (replayed.done()["name"], replayed.is_replay) == (ERASED, True)
    assert caller.post("/payments", story.order, key=story.payment_key).done()["description"] == ERASED
    caller.post("/payments", payment("shop", customer=story.ann)).refused(422, "customer_unknown")
    caller.post("/customers", story.customer).refused(409, "id_exists_different")

    assert caller.get(f"/customers/{story.bob}").done(200)["name"] == "Bob Plain"
    assert caller.get(f"/payments/{story.bobs['id']}").done(200)["description"] == "bobs book"


def test_after_it_the_books_are_right_and_every_view_is_rebuilt_equal(story: Story) -> None:
    service = story.service
    story.caller.get("/audit/trail", entity=story.ann).done(200)
    time.sleep(1)
    for name in BY_NAME:
        report = rebuild(service.database, story.book, name)
        assert report.is_equal, report
    assert compare_balances(service.database, story.book).is_equal
    service.run_ledger("verify", "--book", story.book)
    service.run_ledger("replay", "--book", story.book)


def test_what_is_not_over_is_named_and_stands_against_it(service: Service, story: Story) -> None:
    caller, eve = story.caller, fresh("eve")
    caller.post("/customers", {"id": eve, "name": "Eve"}).done()
    waiting = caller.post("/payments", payment("shop", customer=eve, confirm=False)).done()
    problem = caller.post(f"/customers/{eve}/erase", WHY).refused(409, "customer_has_open_matters")
    assert problem["open_matters"] == [waiting["id"]]
    caller.post(f"/payments/{waiting['id']}/cancel", {"reason": "changed her mind"}).done(200)
    paid = caller.post("/payments", payment("shop", customer=eve)).done()
    opened = move_dispute(service, caller, paid, evidence_due_at=in_seconds(60))
    problem = caller.post(f"/customers/{eve}/erase", WHY).refused(409, "customer_has_open_matters")
    assert problem["open_matters"] == [opened["id"]]
    move_dispute(service, caller, paid, status="won")
    caller.post(f"/customers/{eve}/erase", WHY).done(200)


def test_a_sealed_value_from_outside_is_taken_from_nobody(story: Story) -> None:
    """Whoever has seen the log could else have another's values opened under his own name."""
    with story.service.database.owner() as connection:
        statement = "SELECT state FROM {schema}.events WHERE originator_id = %s"
        (state,) = connection.execute(in_book(statement, story.book), (f"customer/{story.bob}",)).fetchall()[0]
    token = json.loads(bytes(state))["name"]
    assert token.startswith("~s1~")
    for body in ({"name": token}, {"metadata": {"note": f"see {token}"}}, {"metadata": {token: "x"}}):
        story.caller.post("/customers", body).refused(400, "text_forbidden_character")


def test_only_an_administrator_erases(service: Service, story: Story) -> None:
    clerk = service.caller(story.book, "payments:write")
    clerk.post(f"/customers/{story.bob}/erase", WHY).refused(403, "scope_missing")
    story.caller.post("/customers/nobody/erase", WHY).refused(404, "customer_not_found")


def test_what_was_told_is_answered_with_the_same_bytes_while_it_can_be_read(service: Service) -> None:
    caller, key = service.caller(service.new_book()), fresh("key")
    body = {"id": "zoe", "name": 'Zoé "Z" \\ Ñandú \u20ac', "metadata": {"note": "a/b"}}
    first = caller.post("/customers", body, key=key)
    again = caller.post("/customers", body, key=key)
    assert again.is_replay
    assert first.raw == again.raw
    assert caller.get("/customers/zoe").done(200)["name"] == body["name"]
