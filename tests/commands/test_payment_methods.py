"""Payment methods: a card is bound by a code, paid with by its name, and forgotten; each rule, as given, when, then."""

import pytest

from commands.channels.channel import ActionRequired, ContractSigned, Declined, Verdict
from commands.contract_results import RecordContractResult
from commands.contracts import ConfirmContract, CreateContract, SuspendContract, TerminateContract
from commands.customers import CreateCustomer, OpenWallet
from commands.payment_methods import BindPaymentMethod, DeleteCustomer, DeletePaymentMethod
from commands.payments import CreatePayment, RecordAttemptResult
from ledger.contract_views import payment_method_view
from ledger.errors import (
    ContractAlreadyEnded,
    ContractNotFound,
    CustomerHasContracts,
    CustomerHasFunds,
    CustomerNotFound,
    CustomerUnknown,
    FieldInvalid,
    IdExistsDifferent,
    MethodNotSupported,
    PaymentMethodInUse,
    PaymentMethodNotFound,
    PaymentMethodUnknown,
    Refusal,
)
from ledger.events.contracts import ContractEndingRequested, ContractSigningRequested, ContractTerminated, Limits
from ledger.events.customers import CustomerDeleted
from ledger.events.payments import Method, PaymentAttemptInitiated, PaymentCaptured
from ledger.payment_views import payment_view
from ledger.posting_rules import movements_for
from tests.commands.given import NOON, Outcome, Story, given
from tests.commands.stories import CHANNEL, PARTIES, charged, topped_up

CARD = Method("card", "tok_sms")


def says(verdict: Verdict, name: str = "pm_1") -> RecordContractResult:
    return RecordContractResult(name, CHANNEL, verdict)


def bound() -> Story:
    return given(
        *PARTIES,
        BindPaymentMethod("pm_1", "ann", CARD),
        says(ActionRequired("agr_1", "sms_code")),
        ConfirmContract("pm_1", "123456"),
        says(ContractSigned("agr_1", NOON)),
    )


def pay(customer: str | None = "ann", card: str = "pm_1", token: str | None = None) -> CreatePayment:
    method = Method("card", token, {"payment_method": card})
    return CreatePayment("pay_1", "acme", 6_000, "EUR", "quick_pay", method, "order-1", customer=customer)


def contract_with(card: str, customer: str = "ann") -> CreateContract:
    method = Method("card", details={"payment_method": card})
    return CreateContract("con_1", customer, "acme", "protocol_pay", method, Limits("EUR"))


def intent_of(outcome: Outcome) -> PaymentAttemptInitiated:
    assert outcome.decision is not None
    (found,) = [event for _, event in outcome.decision.events if isinstance(event, PaymentAttemptInitiated)]
    return found


def test_a_card_is_bound_by_a_code_and_nothing_is_posted() -> None:
    """Scenario 13: nothing moves."""
    story = bound()
    view = payment_method_view(story.stream("pm_1"))
    assert (view.status, view.customer, view.type, view.channel) == ("active", "ann", "card", CHANNEL)
    assert story.balances() == {}
    assert [movements_for(recorded.event) for recorded in story.stream("pm_1")] == [[]] * len(story.stream("pm_1"))


def test_a_bound_card_is_charged_by_its_name() -> None:
    story = bound()
    intent = intent_of(story.when(pay()).answered(202, status="processing"))
    assert (intent.channel, intent.contract, intent.token, intent.method) == (CHANNEL, "agr_1", "tok_sms", "card")
    story.given(RecordAttemptResult("pay_1-1", CHANNEL, charged(6_000)))
    assert any(isinstance(recorded.event, PaymentCaptured) for recorded in story.stream("pay_1"))


def test_a_code_that_the_payer_typed_goes_along_with_the_bound_card() -> None:
    intent = intent_of(bound().when(pay(token="tok_with_code")))
    assert (intent.contract, intent.token) == ("agr_1", "tok_with_code")


@pytest.mark.parametrize(
    "payment", [pay(card="pm_9"), pay(card="con_1"), pay(customer="bob"), pay(customer=None)], ids=repr
)
def test_only_its_own_customer_pays_with_a_bound_card(payment: CreatePayment) -> None:
    bound().given(CreateCustomer("bob")).when(payment).refused(PaymentMethodUnknown, "/method/payment_method")


def test_a_card_that_is_not_confirmed_yet_cannot_be_paid_with() -> None:
    story = given(*PARTIES, BindPaymentMethod("pm_1", "ann", CARD), says(ActionRequired("agr_1", "sms_code")))
    story.when(pay()).refused(PaymentMethodUnknown)


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        (BindPaymentMethod("pm_1", "nobody", CARD), CustomerNotFound),
        (BindPaymentMethod("pm_1", "ann", Method("wallet")), MethodNotSupported),
    ],
)
def test_what_cannot_be_bound(command: BindPaymentMethod, refusal: type[Refusal]) -> None:
    given(*PARTIES).when(command).refused(refusal)


def test_a_card_is_deleted_here_at_once_and_then_at_the_channel() -> None:
    story = bound()
    story.when(DeletePaymentMethod("ann", "pm_1")).then(
        ContractTerminated("pm_1", "user", "the card was deleted"),
        ContractEndingRequested("pm_1", "end_pm_1-1", CHANNEL, "agr_1"),
    ).answered(200, status="terminated")
    story.when(DeletePaymentMethod("ann", "pm_1")).refused(ContractAlreadyEnded)
    story.when(pay()).refused(PaymentMethodUnknown)


def test_nobody_deletes_what_is_not_his() -> None:
    story = bound().given(CreateCustomer("bob"))
    story.when(DeletePaymentMethod("bob", "pm_1")).refused(PaymentMethodNotFound)
    story.when(DeletePaymentMethod("ann", "con_1")).refused(PaymentMethodNotFound)
    story.when(TerminateContract("pm_1", "why")).refused(ContractNotFound)
    story.when(SuspendContract("pm_1", "why")).refused(ContractNotFound)


def test_a_card_that_a_contract_is_charged_with_stays() -> None:
    story = bound().given(contract_with("pm_1"), says(ContractSigned("agr_2", NOON), "con_1"))
    story.when(DeletePaymentMethod("ann", "pm_1")).refused(PaymentMethodInUse, contracts=["con_1"])
    story.given(TerminateContract("con_1", "moved"))
    story.when(DeletePaymentMethod("ann", "pm_1")).answered(200, status="terminated")


def test_a_contract_with_a_bound_card_is_signed_where_the_card_is() -> None:
    story = bound().given(CreateCustomer("bob"))
    story.when(contract_with("pm_1", "bob")).refused(PaymentMethodUnknown, "/method/payment_method")
    story.when(contract_with("pm_9")).refused(PaymentMethodUnknown, "/method/payment_method")
    decision = story.when(contract_with("pm_1")).answered(202, channel=CHANNEL).decision
    assert decision is not None
    asked = decision.events[-1][1]
    assert isinstance(asked, ContractSigningRequested)
    assert asked.details == {"payment_method": "pm_1", "payment_method_reference": "agr_1", "token": "tok_sms"}


def test_a_customer_is_not_deleted_while_something_of_his_is_left() -> None:
    """Scenario 60."""
    story = bound()
    story.when(DeleteCustomer("ann")).refused(CustomerHasContracts, contracts=["pm_1"])
    story.given(DeletePaymentMethod("ann", "pm_1"))
    story.when(DeleteCustomer("ann")).then(CustomerDeleted("ann")).answered(200, id="ann")
    story.when(DeleteCustomer("ann")).refused(CustomerNotFound)
    story.when(CreateCustomer("ann")).refused(IdExistsDifferent)
    story.when(OpenWallet("ann", "USD")).refused(CustomerNotFound)
    story.when(contract_with("pm_1")).refused(CustomerUnknown)
    given(*PARTIES, *topped_up(100)).when(DeleteCustomer("ann")).refused(CustomerHasFunds, currency="EUR")


def test_what_is_under_way_for_a_deleted_customer_ends_as_it_would() -> None:
    """Scenario 60: the channel's word about a payment of a customer who is gone."""
    story = bound().given(pay(), DeletePaymentMethod("ann", "pm_1"), DeleteCustomer("ann"))
    story.when(RecordAttemptResult("pay_1-1", CHANNEL, charged(6_000))).answered(200, effect="recorded")


def test_where_the_bank_wants_a_proof_the_payer_gives_it_at_the_same_channel() -> None:
    story = bound().given(pay())
    wants_proof = Declined("authentication_required", "1A", "", hard=False)
    intent = intent_of(story.when(RecordAttemptResult("pay_1-1", CHANNEL, wants_proof)))
    assert (intent.attempt, intent.authenticate, intent.contract) == ("pay_1-2", True, "agr_1")
    story.given(RecordAttemptResult("pay_1-2", CHANNEL, wants_proof))
    assert payment_view(story.stream("pay_1")).status == "failed"


def test_only_a_card_is_paid_with_by_its_name() -> None:
    method = Method("wallet", details={"payment_method": "pm_1"})
    wallet = CreatePayment("pay_1", "acme", 100, "EUR", "balance_pay", method, "o", customer="ann")
    bound().when(wallet).refused(FieldInvalid, "/method/payment_method")


def test_a_card_that_the_bank_has_let_go_of_is_bound_no_longer() -> None:
    story = bound().given(pay())
    story.given(RecordAttemptResult("pay_1-1", CHANNEL, Declined("mandate_ended", "R1", "Revoked.", hard=True)))
    assert payment_method_view(story.stream("pm_1")).status == "terminated"
    assert payment_view(story.stream("pay_1")).status == "failed"
