"""A neighbour: another book with one of everything, whose ids nobody else may find."""

from typing import Any

from commands.channels.simulator.conduct import CODE
from tests.journeys.aftermath import move_dispute
from tests.journeys.caller import fresh
from tests.journeys.service import Service
from tests.journeys.test_bad_inputs_payments import payment
from tests.journeys.test_reconciliation_scenarios import Desk


def one_of_everything(service: Service) -> dict[str, str]:
    """By the word that stands for it in addresses and bodies: the id of one in a book of its own."""
    neighbour = service.caller(service.new_book())
    account, other = neighbour.open_account("theirs"), neighbour.open_account("theirs")
    reference = fresh("theirs")
    entry = neighbour.move(account, other, 1, reference=reference).done()["id"]
    merchant, customer = fresh("theirs"), fresh("theirs")
    terms = {"fee": {"percent_bps": 0, "fixed": 0}, "settlement_currency": "EUR"}
    neighbour.post("/merchants", {"id": merchant, "name": merchant, **terms}).done()
    neighbour.post("/customers", {"id": customer}).done()
    neighbour.post(f"/customers/{customer}/wallets", {"currency": "EUR"}).done()
    card = {"type": "card", "token": "tok_approved"}
    top_up = neighbour.post(f"/wallets/{customer}/EUR/top-ups", {"amount": 100, "method": card}).done()["id"]
    paid = neighbour.post("/payments", payment(merchant, order_reference=reference)).done()["id"]
    device = fresh("theirs")
    for word in ("review", "block"):
        listed = {"type": "device", "value": f"{device}-{word}", "reason": "theirs"}
        neighbour.post(f"/risk/lists/{word}", listed).done()
    waits = neighbour.post("/payments", payment(merchant, client={"device": f"{device}-review"})).done()["id"]
    refund = neighbour.post(f"/payments/{paid}/refunds", {"amount": 1, "reason": "back"}).done()["id"]
    wallet, bank = f"/wallets/{customer}/EUR", {"type": "bank_account", "account_number": "17", "name": "Theirs"}
    principal, receiver = fresh("theirs"), fresh("theirs")
    neighbour.post("/principals", {"id": principal, "name": principal}).done()
    neighbour.post("/merchants", {"id": receiver, "name": receiver, **terms}).done()
    methods = f"/customers/{customer}/payment-methods"
    bound = neighbour.post(methods, card).done()["id"]
    neighbour.post(f"{methods}/{bound}/confirm", {"answer": CODE}).done()
    agreed = {"customer": customer, "merchant": merchant, "product": "protocol_pay"}
    limits = {"currency": "EUR", "per_charge": 100, "per_period": {"amount": 100, "period": "month"}}
    contract = neighbour.post("/contracts", {**agreed, "method": card, "limits": limits}).done()["id"]
    credit = {"currency": "EUR", "limit": 100, "interest_bps_per_month": 100}
    neighbour.post(f"/customers/{customer}/credit-lines", credit).done()
    on_credit = {"product": "credit_pay", "method": {"type": "credit"}, "customer": customer, "amount": 10}
    neighbour.post("/payments", payment(merchant, **on_credit)).done()
    neighbour.post("/fx/rates", {"from": "EUR", "to": "USD", "rate": "1.25", "source": "theirs"}).done()
    quote = neighbour.post("/fx/quotes", {"from": "EUR", "to": "USD", "amount": 100}).done()["id"]
    hooks = {"url": "http://127.7.7.7:1/theirs", "topics": ["customers.*"]}
    endpoint = neighbour.post("/webhook-endpoints", hooks).done()["id"]
    neighbour.post("/customers", {"id": fresh("theirs")}).done()

    def delivery() -> Any:
        return neighbour.get(f"/webhook-endpoints/{endpoint}/deliveries").done(200)["data"]

    service.wait_until(lambda: bool(delivery()))
    neighbour.insist("/periods/2020-01/close", {"reason": "theirs"}).done(200)
    reopening = neighbour.post("/periods/2020-01/reopen", {"reason": "theirs"}).done(202)
    disputed = neighbour.post("/payments", payment(merchant)).done()
    repayments = f"/customers/{customer}/credit-lines/EUR/repayments"
    return reconciled(service) | {
        "approval": reopening["approval_id"],
        "payment_method": bound,
        "contract": contract,
        "dispute": move_dispute(service, neighbour, disputed, status="opened")["id"],
        "quote": quote,
        "repayment": neighbour.post(repayments, {"amount": 5, "method": card}).done()["id"],
        "endpoint": endpoint,
        "delivery": delivery()[0]["id"],
        "payout": neighbour.post(f"{wallet}/withdrawals", {"amount": 1, "destination": bank}).done(202)["id"],
        "freeze": neighbour.post(f"{wallet}/freezes", {"amount": 1, "reason": "theirs"}).done()["id"],
        "share": neighbour.post(f"/payments/{paid}/shares", {"receiver": receiver, "amount": 1}).done()["id"],
        "principal": principal,
        "account": account,
        "entry": entry,
        "transfer": entry,
        "hold": neighbour.hold(account, other, 1),
        "merchant": merchant,
        "customer": customer,
        "payment": paid,
        "refund": refund,
        "top_up": top_up,
        "reference": reference,
        "order_reference": reference,
        "review": waits.replace("pay_", "rev_") + "-1",
        "value": f"{device}-block",
        "entity": paid,
    }


def reconciled(service: Service) -> dict[str, str]:
    """What a reconciliation leaves in its book: a file, a run, a break, a batch."""
    desk = Desk(service)
    (row,) = desk.settlement(desk.pay(500))
    invented = row | {"id": "pay_0-1", "charge_id": "pay_0-1", "reference": fresh("ch")}
    file = desk.import_channel([row, invented | {"occurred_at": "2026-01-05T10:00:00+00:00"}])
    run = desk.run()
    (found,) = desk.breaks()
    (batch,) = desk.caller.get("/reconciliation/batches").done(200)["data"]
    return {"file_id": file["file_id"], "run_id": run["id"], "break_id": found["id"], "batch": batch["batch"]}
