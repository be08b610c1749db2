"""The story of the demo: what a ledger and a payment go through, each step looked at and not only told.

Every chapter leaves the book in a state that the next one builds on. What does not come as told raises NotAsTold.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx2

from api.cli.narrator import Json, Narrator, card, expect, money
from api.cli.story_of_a_close import StoryOfAClose
from api.cli.story_of_payments import StoryOfPayments

_EUR = "EUR"


class Story:
    """One telling."""

    def __init__(self, narrator: Narrator, simulator: str) -> None:
        """`simulator` is the address of the channel simulator, which is asked for its own books and told to fail."""
        self._tell = narrator
        self._simulator = simulator
        self._lunch: Json = {}
        self._card_payment = ""
        self._silent_payment = ""

    def chapters(self) -> list[Callable[[], None]]:
        return [
            self.accounts_and_limits,
            self.the_same_again,
            self.a_hold_in_parts,
            self.a_reversal,
            self.two_currencies,
            self.a_wallet,
            self.a_payment_from_the_wallet,
            self.a_payment_by_card,
            self.a_card_that_is_declined,
            self.a_channel_that_falls_silent,
            self.a_refund,
            *StoryOfPayments(self._tell, self._simulator).chapters(),
            *StoryOfAClose(self._tell, self._simulator).chapters(),
            self.the_audit_trail,
            self.the_past,
            self.the_trial_balance,
        ]

    # --- the ledger -------------------------------------------------------------------------------------------------

    def accounts_and_limits(self) -> None:
        tell = self._tell
        tell.chapter("Accounts and limits")
        tell.say("A bank account, and two customers whose balances may not fall below zero.")
        tell.post("/v1/accounts", {"id": "bank", "name": "Our bank", "kind": "asset", "currency": _EUR})
        for name in ("alice", "bob"):
            account = {"id": name, "name": name.title(), "kind": "liability", "currency": _EUR, "min_balance": 0}
            tell.post("/v1/accounts", account)
        tell.say("Alice pays in 1,000.00 EUR and buys Bob a lunch. Amounts are whole minor units.")
        self._transfer("bank", "alice", 100_000)
        self._lunch = self._transfer("alice", "bob", 2_500, reference="lunch")
        tell.say("Bob wants to send more than he has: a refusal has a code and the figures to act on.")
        refused = self._transfer("bob", "alice", 9_900, status=409)
        expect(refused["code"] == "insufficient_funds", f"the refusal is {refused['code']}")
        expect(refused["available"] == 2_500, f"{refused['available']} are said to be available")
        self._expect_balances(bank=100_000, alice=97_500, bob=2_500)

    def the_same_again(self) -> None:
        tell = self._tell
        tell.chapter("A retry is always safe")
        tell.say("A transfer, and the same request once more, as if the first answer had been lost on its way.")
        body = {"debit_account": "alice", "credit_account": "bob", "amount": 500, "currency": _EUR}
        first = tell.post("/v1/transfers", body, key="coffee-1")
        second = tell.post("/v1/transfers", body, key="coffee-1")
        expect(not first.replayed and second.replayed, "the second answer is not marked as a replay")
        expect(first.body == second.body, "the answers differ")
        tell.say("The same key with another amount is nobody's retry.")
        reused = tell.post("/v1/transfers", {**body, "amount": 900}, key="coffee-1", status=422)
        expect(reused["code"] == "idempotency_key_reused", f"the refusal is {reused['code']}")
        self._expect_balances(alice=97_000, bob=3_000)

    def a_hold_in_parts(self) -> None:
        tell = self._tell
        tell.chapter("A hold, captured in parts")
        tell.say("100.00 EUR are set aside for Bob: Alice still has them and can no longer spend them.")
        hold = self._transfer("alice", "bob", 10_000, pending={})["hold_id"]
        self._expect_available("alice", 87_000)
        tell.say("40.00 are captured, then 30.00 for good; the rest is free again.")
        first = tell.post(f"/v1/holds/{hold}/capture", {"amount": 4_000})
        last = tell.post(f"/v1/holds/{hold}/capture", {"amount": 3_000, "final": True})
        expect((first["status"], last["status"]) == ("active", "captured"), "the hold is not captured")
        refused = tell.post(f"/v1/holds/{hold}/capture", {"amount": 1}, status=409)
        expect(refused["code"] == "hold_not_active", f"the refusal is {refused['code']}")
        self._expect_balances(alice=90_000, bob=10_000)
        self._expect_available("alice", 90_000)

    def a_reversal(self) -> None:
        tell = self._tell
        tell.chapter("A mistake is reversed, never erased")
        entry = f"/v1/entries/{self._lunch['id']}/reverse"
        reversal = tell.post(entry, {"reason": "It was Bob's turn to pay"})
        expect(reversal["reverses"] == self._lunch["id"], "the reversal does not name its entry")
        refused = tell.post(entry, {"reason": "Once more"}, status=409)
        expect(refused["code"] == "already_reversed", f"the refusal is {refused['code']}")
        self._expect_balances(alice=92_500, bob=7_500)

    def two_currencies(self) -> None:
        tell = self._tell
        tell.chapter("Two currencies in one entry")
        tell.say("Alice changes 100.00 EUR into 108.00 USD. An entry balances in each currency, or there is none.")
        tell.post("/v1/accounts", {"id": "alice:usd", "name": "Alice", "kind": "liability", "currency": "USD"})
        for currency in (_EUR, "USD"):
            name = f"exchange:{currency.lower()}"
            tell.post("/v1/accounts", {"id": name, "name": "Exchange", "kind": "equity", "currency": currency})
        legs = [
            ("alice", "debit", 10_000, _EUR),
            ("exchange:eur", "credit", 10_000, _EUR),
            ("exchange:usd", "debit", 10_800, "USD"),
            ("alice:usd", "credit", 10_800, "USD"),
        ]
        names = ("account", "direction", "amount", "currency")
        postings = [dict(zip(names, leg, strict=True)) for leg in legs]
        tell.post("/v1/entries", {"postings": postings})
        refused = tell.post("/v1/entries", {"postings": postings[:3]}, status=422)
        expect(refused["code"] == "unbalanced", f"the refusal is {refused['code']}")
        self._expect_balances(alice=82_500, **{"alice:usd": 10_800})

    # --- payments ---------------------------------------------------------------------------------------------------

    def a_wallet(self) -> None:
        tell = self._tell
        tell.chapter("A shop, a customer, and a wallet filled by card")
        terms = {"percent_bps": 200, "fixed": 0}
        tell.post("/v1/merchants", {"id": "shop", "name": "Shop", "fee": terms, "settlement_currency": _EUR})
        tell.post("/v1/customers", {"id": "carol", "name": "Carol"})
        tell.post("/v1/customers/carol/wallets", {"currency": _EUR})
        body = {"amount": 20_000, "method": {"type": "card", "token": "tok_approved"}}
        top_up = self._begin("/v1/wallets/carol/EUR/top-ups", body)
        view = tell.settled(f"/v1/top-ups/{top_up}")
        expect(view["status"] == "succeeded", f"the top-up is {view['status']}")
        self._expect_wallet_and_shop(20_000, 0)

    def a_payment_from_the_wallet(self) -> None:
        tell = self._tell
        tell.chapter("A payment from the wallet")
        tell.say("Wallet to shop, less 2 % fee, final in one commit.")
        paid = tell.post("/v1/payments", self._payment(6_000, "order-1", "balance_pay", {"type": "wallet"}))
        expect(paid["status"] == "succeeded", f"the payment is {paid['status']}")
        self._expect_wallet_and_shop(14_000, 5_880)

    def a_payment_by_card(self) -> None:
        tell = self._tell
        tell.chapter("A payment by card")
        tell.say("The intent is in the log before the channel is called, the outcome after it.")
        self._card_payment = self._begin(
            "/v1/payments", self._payment(10_000, "order-2", "quick_pay", card("approved"))
        )
        view = tell.settled(f"/v1/payments/{self._card_payment}")
        expect(view["status"] == "succeeded", f"the payment is {view['status']}")
        tell.say(f"  {view['status']} over {view['routing']['channel']}, because it is {view['routing']['because']}.")
        self._expect_wallet_and_shop(14_000, 15_680)

    def a_card_that_is_declined(self) -> None:
        tell = self._tell
        tell.chapter("A card that is declined")
        declined = card("insufficient_funds")
        payment = self._begin("/v1/payments", self._payment(7_000, "order-3", "quick_pay", declined))
        view = tell.settled(f"/v1/payments/{payment}")
        expect(view["status"] == "failed", f"the payment is {view['status']}")
        expect(view["error"]["code"] == "insufficient_funds", f"the error is {view['error']}")
        tell.say(f"  The payer reads: “{view['error']['message']}” ({view['error']['next_action']})")
        self._expect_wallet_and_shop(14_000, 15_680)

    def a_channel_that_falls_silent(self) -> None:
        tell = self._tell
        tell.chapter("A channel that falls silent")
        tell.say(
            "The card is charged, and neither the answer nor the callback arrives. That is no failure and no success:"
        )
        tell.say("the payment stays in process, the channel is asked what became of it, and nobody is charged twice.")
        rule = {"match": {"operation": "charge", "token": "tok_timeout_after"}, "fault": "no_callback"}
        self._ask_simulator("PUT", "/faults", {"rules": [rule]})
        silent = card("timeout_after")
        payment = self._silent_payment = self._begin(
            "/v1/payments", self._payment(8_000, "order-4", "quick_pay", silent)
        )
        states: list[str] = []

        def see(view: Json) -> None:
            (attempt,) = view["attempts"]
            state = f"the payment is {view['status']}, the attempt is {attempt['status']}"
            if state not in states:
                states.append(state)
                tell.say(f"  {state}")

        view = tell.settled(f"/v1/payments/{payment}", see)
        expect(view["status"] == "succeeded", f"the payment is {view['status']}")
        charges = [one for one in self._ask_simulator("GET", "/books")["charges"] if one["id"].startswith(payment)]
        expect(len(charges) == 1, f"the channel's own books have {len(charges)} charges for it")
        tell.say("  The channel's own books have one charge for it.")
        self._expect_wallet_and_shop(14_000, 23_520)

    def a_refund(self) -> None:
        tell = self._tell
        tell.chapter("A refund in part")
        path = f"/v1/payments/{self._card_payment}/refunds"
        refund = self._begin(path, {"amount": 4_000, "reason": "One of two came broken"})
        view = tell.settled(f"/v1/refunds/{refund}")
        expect(view["status"] == "succeeded", f"the refund is {view['status']}")
        payment = tell.get(f"/v1/payments/{self._card_payment}").body
        expect((payment["amount_refunded"], payment["refund_status"]) == (4_000, "partial"), f"it shows {payment}")
        tell.say(f"  {money(payment['amount_refunded'], _EUR)} of {money(payment['amount'], _EUR)} went back.")
        refused = tell.post(path, {"amount": 6_001, "reason": "Too much"}, status=422)
        expect(refused["code"] == "refund_exceeds_payment", f"the refusal is {refused['code']}")
        self._expect_wallet_and_shop(14_000, 19_520)

    # --- for those who check ----------------------------------------------------------------------------------------

    def the_audit_trail(self) -> None:
        tell = self._tell
        tell.chapter("Who did what, when and why")
        tell.say("Everything that happened to the payment whose channel fell silent:")
        facts = tell.get("/v1/audit/trail", entity=self._silent_payment)["data"]
        rows = [(str(fact["position"]), fact["when"][11:23], fact["who"], fact["topic"], fact["why"]) for fact in facts]
        tell.table("", {"position": True, "time": False, "who": False, "what": False, "why": False}, rows)
        topics = [fact["topic"].removeprefix("payments.").removesuffix(".v1") for fact in facts]
        life = [
            topic for topic in topics if topic in ("created", "attempt_initiated", "attempt_unanswered", "captured")
        ]
        expect(life == ["created", "attempt_initiated", "attempt_unanswered", "captured"], f"the trail tells {topics}")

    def the_past(self) -> None:
        tell = self._tell
        tell.chapter("Two kinds of time")
        tell.say("Alice paid in 50.00 EUR yesterday, and we hear of it only now.")
        before = tell.position
        yesterday = datetime.now(UTC) - timedelta(days=1)
        self._transfer("bank", "alice", 5_000, effective_at=yesterday.isoformat(timespec="seconds"))
        as_of = (yesterday + timedelta(hours=1)).isoformat(timespec="seconds")
        path = "/v1/accounts/alice/balance"
        questions: list[tuple[str, Json, int]] = [
            ("now", {}, 87_500),
            ("as of yesterday, as we know it now", {"as_of": as_of}, 5_000),
            ("as of yesterday, as we knew it then", {"as_of": as_of, "known_at": before}, 0),
            ("just after the lunch", {"known_at": self._lunch["position"]}, 97_500),
        ]
        rows = []
        for question, parameters, expected in questions:
            view = tell.get(path, **parameters)
            balance = view["posted"]["balance"]
            expect(balance == expected, f"alice, {question}: {balance} and not {expected}")
            rows.append((question, money(balance, _EUR)))
        tell.table("alice", {"question": False, "balance": True}, rows)

    def the_trial_balance(self) -> None:
        tell = self._tell
        tell.chapter("The trial balance")
        known = [self._lunch["position"], tell.position // 2, tell.position]
        for position in known:
            self._expect_zero(tell.get("/v1/trial-balance", known_at=position).body)
        now = tell.get("/v1/trial-balance").body
        self._expect_zero(now)
        columns = {"account": False, "kind": False, "balance": True}
        rows = [(one["account"], one["kind"], money(one["balance"], one["currency"])) for one in now["accounts"]]
        tell.table("all accounts", columns, rows)
        sums = [
            (currency, *(money(totals[side], currency) for side in ("debits", "credits", "difference")))
            for currency, totals in now["currencies"].items()
        ]
        tell.table("together", {"currency": False, "debits": True, "credits": True, "difference": True}, sums)
        expect(set(now["currencies"]) == {_EUR, "USD"}, f"the currencies are {sorted(now['currencies'])}")

    # --- steps ------------------------------------------------------------------------------------------------------

    def _transfer(self, debit: str, credit: str, amount: int, *, status: int = 201, **more: object) -> Json:
        body = {"debit_account": debit, "credit_account": credit, "amount": amount, "currency": _EUR, **more}
        return self._tell.post("/v1/transfers", body, status=status).body

    def _payment(self, amount: int, order: str, product: str, method: Json) -> Json:
        body: Json = {"merchant": "shop", "amount": amount, "currency": _EUR, "product": product, "method": method}
        return body | {"customer": "carol", "order_reference": order}

    def _begin(self, path: str, body: Json) -> str:
        """Ask for what a channel has to say something to, and return its id; it may be over with the first answer."""
        name: str = self._tell.post(path, body, status=(201, 202))["id"]
        return name

    def _ask_simulator(self, method: str, path: str, content: Json | None = None) -> Json:
        with httpx2.Client(trust_env=False) as client:
            reply = client.request(method, self._simulator + path, json=content)
        expect(reply.status_code == 200, f"the simulator answered {method} {path} with {reply.status_code}")
        answer: Json = reply.json()
        return answer

    # --- what has to be true ----------------------------------------------------------------------------------------

    def _expect_balances(self, **expected: int) -> None:
        found = self._tell.balances(*expected)
        expect(found == expected, f"the balances are {found} and not {expected}")

    def _expect_available(self, account: str, expected: int) -> None:
        view = self._tell.get(f"/v1/accounts/{account}/balance").body
        expect(view["available"] == expected, f"{account} has {view['available']} available and not {expected}")
        self._tell.say(f"  {account}: {money(view['available'], view['currency'])} available")

    def _expect_wallet_and_shop(self, wallet: int, owed: int) -> None:
        holds = self._tell.get("/v1/customers/carol/wallets/EUR", aloud=False)["available"]
        pending = self._tell.get("/v1/merchants/shop/balance", aloud=False)["pending"]
        rows = [("Carol's wallet", money(holds, _EUR)), ("owed to the shop", money(pending, _EUR))]
        self._tell.table("balances", {"whose": False, "balance": True}, rows)
        expect((holds, pending) == (wallet, owed), f"wallet and shop have {holds}, {pending} and not {wallet}, {owed}")

    def _expect_zero(self, trial_balance: Json) -> None:
        for currency, totals in trial_balance["currencies"].items():
            expect(
                totals["difference"] == 0, f"{currency} is {totals['difference']} apart at {trial_balance['position']}"
            )
            expect(totals["debits"] == totals["credits"] > 0, f"{currency} sums to {totals}")
