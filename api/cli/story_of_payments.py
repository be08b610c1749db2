"""The second part of the demo's story: what a payment may go through between a payer, a shop and channels.

Every chapter ends with its own payment looked at; the books are looked at together, at the end of the whole story.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx2

from api.cli.narrator import Json, Narrator, card, expect, money

_EUR = "EUR"
_CODE = "123456"
_IBAN = "DE89370400440532013000"
_FIRST, _SECOND = "card_simulator", "card_simulator_b"


class StoryOfPayments:
    """A shop of its own, paid by Carol, whom the story knows already, in all the ways that there are."""

    def __init__(self, narrator: Narrator, simulator: str) -> None:
        """`simulator` is the address of the channel simulator, where payers click and channels are told to fail."""
        self._tell = narrator
        self._simulator = simulator
        self._orders = 0

    def chapters(self) -> list[Callable[[], None]]:
        return [
            self.held_and_taken_in_parts,
            self.at_the_payer_s_bank,
            self.a_channel_in_trouble,
            self.a_contract,
            self.wallet_and_card,
            self.a_foreign_card,
            self.a_fraud,
            self.a_dispute,
            self.a_payout,
        ]

    # --- ways to pay ------------------------------------------------------------------------------------------------

    def held_and_taken_in_parts(self) -> None:
        tell = self._tell
        tell.chapter("A card is held, and taken in parts")
        settlement = {"days": 0, "payout_fee": 50, "approve_above": 50_000}
        terms = {"fee": {"percent_bps": 200, "fixed": 0}, "settlement_currency": _EUR, "settlement": settlement}
        tell.post("/v1/merchants", {"id": "boutique", "name": "Boutique", **terms})
        tell.say("100.00 EUR are held until the parcel leaves: 60.00 for the first one, 25.00 for the last.")
        payment = self._pay(10_000, "quick_pay", card("approved"), capture="manual")
        view = tell.becomes(payment, "authorized")
        expect(view["amount_capturable"] == 10_000, f"{view['amount_capturable']} can be captured")
        tell.post(f"{payment}/capture", {"amount": 6_000}, status=(200, 201, 202))
        view = tell.becomes(payment, "authorized", "partially_captured", "succeeded")
        expect(view["amount_capturable"] == 4_000, f"{view['amount_capturable']} are left to be captured")
        refused = tell.post(f"{payment}/capture", {"amount": 4_001}, status=422)
        expect(refused["code"] == "capture_exceeds_authorization", f"the refusal is {refused['code']}")
        tell.post(f"{payment}/capture", {"amount": 2_500, "final": True}, status=(200, 201, 202))
        view = tell.becomes(payment, "succeeded")
        expect(view["amount_captured"] == 8_500, f"{view['amount_captured']} were captured")
        tell.say("  85.00 EUR were taken; the other 15.00 are the cardholder's again.")

    def at_the_payer_s_bank(self) -> None:
        tell = self._tell
        tell.chapter("The payer clicks at the bank")
        method = {"type": "bank_redirect", "bank": "harbour"}
        payment = self._pay(4_000, "online_banking", method, return_url="https://boutique.example/done")
        view = tell.becomes(payment, "requires_action")
        action = view["next_action"]
        expect(action["type"] == "redirect", f"the payer is asked for {action['type']}")
        tell.say(f"  {action['type']} until {view['expires_at']}: the payer opens the bank's page and approves.")
        self._payer_approves(action["url"])
        view = tell.becomes(payment, "succeeded")
        tell.say(f"  {view['status']}: the bank said so itself, under its signature; the browser is not believed.")

    def a_channel_in_trouble(self) -> None:
        tell = self._tell
        tell.chapter("A channel in trouble, and another one")
        tell.say(f"{_FIRST} cannot reach the card's issuer today. Nothing was charged, so {_SECOND} may be asked.")
        rule = {"match": {"operation": "charge"}, "fault": "decline:issuer_not_available"}
        self._ask_simulator("PUT", f"/{_FIRST}/faults", {"rules": [rule]})
        payment = self._pay(3_000, "quick_pay", card("approved"))
        view = tell.becomes(payment, "succeeded", "failed")
        self._ask_simulator("PUT", f"/{_FIRST}/faults", {"rules": []})
        tried = [(attempt["channel"], attempt["status"]) for attempt in view["attempts"]]
        tell.table("", {"attempt at": False, "came to": False}, tried)
        expect(view["status"] == "succeeded", f"the payment is {view['status']}")
        expect(tried == [(_FIRST, "declined"), (_SECOND, "succeeded")], f"the attempts are {tried}")
        tell.say("  After a hard decline, or while an outcome is unknown, nobody else would have been asked.")

    def a_contract(self) -> None:
        tell = self._tell
        tell.chapter("A contract: charged without being asked each time")
        limits = {"currency": _EUR, "per_charge": 2_000, "per_period": {"amount": 3_000, "period": "month"}}
        asked = {"customer": "carol", "merchant": "boutique", "product": "protocol_pay", "limits": limits}
        contract = tell.post("/v1/contracts", {**asked, "method": card("visa")}, status=(201, 202))["id"]
        tell.becomes(f"/v1/contracts/{contract}", "pending_user")
        tell.say("  Carol was sent a code; with it the contract is signed, within limits.")
        tell.post(f"/v1/contracts/{contract}/confirm", {"answer": _CODE}, status=(200, 201, 202))
        tell.becomes(f"/v1/contracts/{contract}", "active")
        method = {"type": "contract", "contract": contract}
        view = tell.becomes(self._pay(2_000, "protocol_pay", method), "succeeded")
        expect(view["amount_captured"] == 2_000, f"{view['amount_captured']} were captured")
        refused = self._refused(1_500, "protocol_pay", method)
        expect(refused["code"] == "contract_limit_exceeded", f"the refusal is {refused['code']}")

    def wallet_and_card(self) -> None:
        tell = self._tell
        tell.chapter("Partly from the wallet, the rest by card")
        before = self._in_wallet()
        method = {**card("insufficient_funds"), "type": "mixed", "wallet_amount": 2_000}
        view = tell.becomes(self._pay(5_000, "balance_pay", method), "failed")
        expect(self._in_wallet() == before, "a card that was declined has cost the wallet something")
        tell.say("  The card was declined, so the wallet's part is back: both or nothing.")
        view = tell.becomes(self._pay(5_000, "balance_pay", {**method, "token": "tok_approved"}), "succeeded")
        left = self._in_wallet()
        expect((view["amount_captured"], before - left) == (5_000, 2_000), f"{before - left} left the wallet")
        tell.say(f"  {money(view['amount_captured'], _EUR)} paid, {money(before - left, _EUR)} of it from the wallet.")

    def a_foreign_card(self) -> None:
        tell = self._tell
        tell.chapter("A foreign card")
        tell.say("A shop in dollars sells for euros, at a rate that is locked in the payment's own event.")
        terms = {"fee": {"percent_bps": 200, "fixed": 0}, "settlement_currency": "USD"}
        tell.post("/v1/merchants", {"id": "us_shop", "name": "US Shop", **terms})
        tell.post("/v1/fx/rates", {"from": _EUR, "to": "USD", "rate": "1.25", "source": "treasury"})
        quote = tell.post("/v1/fx/quotes", {"from": _EUR, "to": "USD", "amount": 6_000})["id"]
        payment = self._pay(6_000, "foreign_card", card("visa"), merchant="us_shop", quote=quote)
        view = tell.becomes(payment, "requires_action")
        tell.say("  The issuer wants to see its cardholder (3-D Secure), who approves.")
        self._payer_approves(view["next_action"]["url"])
        view = tell.becomes(payment, "succeeded")
        exchange = view["exchange"]
        expect((exchange["amount"], exchange["currency"]) == (7_500, "USD"), f"the exchange is {exchange}")
        owed = tell.get("/v1/merchants/us_shop/balance")["pending"]
        expect(owed == 7_350, f"the shop is owed {owed}")
        tell.say(f"  The payer paid {money(6_000, _EUR)}; the shop is owed {money(owed, 'USD')}, its fee taken off.")

    # --- what else happens ------------------------------------------------------------------------------------------

    def a_fraud(self) -> None:
        tell = self._tell
        tell.chapter("Risk control says no")
        stolen = {"type": "device", "value": "device_7", "reason": "Used with stolen cards"}
        tell.post("/v1/risk/lists/block", stolen)
        payment = self._pay(9_000, "quick_pay", card("approved"), client={"device": "device_7"}, customer=None)
        view = tell.becomes(payment, "rejected")
        risk, told = view["risk"], view["error"]
        expect(risk["decision"] == "reject" and not view["attempts"], f"risk control said {risk}")
        expect("list" not in told["message"], f"the payer is told {told['message']}")
        tell.say(f"  We know why: {', '.join(risk['reasons'])}. No channel was asked.")
        tell.say(f"  The payer reads, as for every such reason: “{told['message']}” ({told['next_action']})")

    def a_dispute(self) -> None:
        tell = self._tell
        tell.chapter("The payer's bank asks for the money back")
        payment = self._pay(4_500, "quick_pay", card("approved"))
        attempt = tell.becomes(payment, "succeeded")["attempts"][-1]["id"]
        due_at = (datetime.now(UTC) + timedelta(days=7)).isoformat(timespec="seconds")
        before = tell.get("/v1/merchants/boutique/balance", aloud=False)["net"]
        opened = self._dispute(payment, attempt, "opened", evidence_due_at=due_at)
        expect((opened["money"], opened["held"]) == ("taken", 4_500), f"the dispute has {opened}")
        held, due = money(opened["held"], _EUR), opened["evidence_due_at"]
        tell.say(f"  {held} are held until it is decided; evidence is due {due}.")
        evidence = {"delivery": "Signed for on the doorstep, parcel 1Z999"}
        tell.post(f"/v1/disputes/{opened['id']}/challenge", {"evidence": evidence}, status=200)
        won = self._dispute(payment, attempt, "won")
        expect((won["status"], won["money"]) == ("won", "none"), f"the dispute is {won}")
        after = tell.get("/v1/merchants/boutique/balance", aloud=False)["net"]
        expect(before - after == won["fee"], f"{before - after} are gone")
        tell.say("  The bank is convinced: the money is the shop's again.")

    def a_payout(self) -> None:
        tell = self._tell
        tell.chapter("The shop is paid out")
        released = tell.post("/v1/merchants/boutique/releases", {}, status=200)
        tell.position = max(tell.position, released["position"] or 0)
        before = tell.get("/v1/merchants/boutique/balance")["available"]
        tell.say(f"  {money(before, _EUR)} are available. While they are on their way, nobody has them.")
        destination = {"type": "bank_account", "account_number": _IBAN, "name": "Boutique GmbH", "entity": "company"}
        asked = {"merchant": "boutique", "amount": 10_000, "currency": _EUR, "destination": destination}
        payout = tell.post("/v1/payouts", asked, status=(201, 202))
        view = tell.becomes(f"/v1/payouts/{payout['id']}", "paid")
        left = tell.get("/v1/merchants/boutique/balance")["available"]
        expect(before - left == 10_000 + view["fee"], f"{before - left} were taken for the payout")
        tell.say(f"  {view['status']}, for a fee of {money(view['fee'], _EUR)}; {money(left, _EUR)} stay available.")

    # --- steps ------------------------------------------------------------------------------------------------------

    def _pay(self, amount: int, product: str, method: Json, **more: object) -> str:
        """Ask for a payment, and return where it is shown."""
        name = self._tell.post("/v1/payments", self._order(amount, product, method, more), status=(201, 202))["id"]
        return f"/v1/payments/{name}"

    def _refused(self, amount: int, product: str, method: Json) -> Json:
        return self._tell.post("/v1/payments", self._order(amount, product, method, {}), status=(409, 422)).body

    def _order(self, amount: int, product: str, method: Json, more: Json) -> Json:
        self._orders += 1
        order: Json = {"merchant": "boutique", "customer": "carol", "amount": amount, "currency": _EUR}
        order |= {"product": product, "method": method, "order_reference": f"boutique-{self._orders}"} | more
        return {name: value for name, value in order.items() if value is not None}

    def _in_wallet(self) -> int:
        available: int = self._tell.get("/v1/customers/carol/wallets/EUR", aloud=False)["available"]
        return available

    def _dispute(self, payment: str, attempt: str, status: str, **more: str) -> Json:
        """The bank moves the dispute of this charge; what is shown of it then."""
        self._ask_simulator("POST", "/control/disputes", {"charge": attempt, "status": status, **more})
        shown: list[str] = []

        def has_moved(view: Json) -> bool:
            shown[:] = [dispute["id"] for dispute in view["disputes"] if dispute["status"] == status]
            return bool(shown)

        self._tell.until(payment, has_moved, f"dispute {status}")
        dispute: Json = self._tell.get(f"/v1/disputes/{shown[-1]}").body
        return dispute

    def _payer_approves(self, page: str) -> None:
        with httpx2.Client(trust_env=False) as client:
            shown = client.post(page, data={"action": "approve"})
        expect(shown.status_code in (200, 303), f"the payer's page answered with {shown.status_code}")

    def _ask_simulator(self, method: str, path: str, content: Json) -> None:
        with httpx2.Client(trust_env=False) as client:
            reply = client.request(method, self._simulator + path, json=content)
        expect(reply.status_code == 200, f"the simulator answered {method} {path} with {reply.status_code}")
