"""Risk decisions: what is recorded when a payment is judged, and what that leads to.

accept     it begins
challenge  the payer is sent a code, or proves to the channel that it is him
review     it waits for a person, before it begins or once it is authorized
reject     it is over, and no channel was asked
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import assert_never

from commands.attempts import begin
from commands.books import Books
from commands.challenges import BLOCKED, challenge, recipient_of
from commands.policies.products import PRODUCTS
from commands.policies.risk import Assessment, Lists, RiskFacts, RuleSet, SignalValue, assess
from commands.policies.risk_language import AGE
from commands.risk_lists import list_streams, listed_values, lists_of
from commands.risk_rules import current_rules
from commands.risk_signals import RiskSignals, age_in_hours, asks_for_age, question_of
from ledger.events.customers import CustomerCreated, customer_stream
from ledger.events.event import Event
from ledger.events.payments import Method, PaymentCreated, PaymentRejected, PaymentRiskAssessed
from ledger.events.reviews import PaymentReviewOpened
from ledger.events.risk import RULES_STREAM
from ledger.ids import REVIEW, child_id

NOBODY_TO_ASK = "nobody to send a code to"


def risk_streams(customer: str | None, method: Method, client: dict[str, str]) -> tuple[str, ...]:
    """What a payment is judged by beside its signals: the rules, and the lists that its values may stand on."""
    return (RULES_STREAM, *list_streams(customer, method, client))


def set_in_motion(books: Books, created: PaymentCreated, signals: RiskSignals) -> list[Event]:
    """What risk control says of the order, and what that leads to."""
    created = books.opened(created)
    rules = current_rules(books)
    values = dict(signals.values)
    if asks_for_age(rules, created.product):
        values[AGE] = _age(books, created.customer)
    lists = lists_of(books, listed_values(created.customer, created.method, created.client))
    assessment = judge(rules, created, books.now.hour, values, lists, signals.trouble)
    assessed = _assessed(assessment, values, lists)
    match assessment.decision:
        case "accept":
            return [assessed, *begin(books, created)]
        case "challenge" if assessment.step_up == "three_ds":
            return [assessed, *begin(books, created, authenticate=True)]
        case "challenge":
            recipient = recipient_of(created.client, _customer_metadata(books, created.customer))
            if recipient and signals.proof:
                return [assessed, *challenge(books, rules.policy, recipient, signals.proof)]
            return [assessed, *_reviewed(books, created, rules, (*assessment.reasons, NOBODY_TO_ASK))]
        case "review":
            return [assessed, *_reviewed(books, created, rules, assessment.reasons)]
        case "reject":
            return [assessed, PaymentRejected(BLOCKED, "; ".join(assessment.reasons))]
        case other:
            assert_never(other)


def judge(
    rules: RuleSet,
    created: PaymentCreated,
    hour: int,
    values: Mapping[str, SignalValue],
    lists: Lists,
    trouble: str = "",
) -> Assessment:
    """What these rules say of the order: now, in a rehearsal, or of an order of the past with the values of then."""
    certain = question_of(rules, created).certain
    return assess(facts_of(created, hour), {**certain, **values}, rules, lists, trouble)


def facts_of(created: PaymentCreated, hour: int) -> RiskFacts:
    """What the order says of itself."""
    product = PRODUCTS.get(created.product)
    return RiskFacts(
        merchant=created.merchant,
        customer=created.customer,
        amount=created.amount,
        currency=created.currency,
        product=created.product,
        client=created.client,
        method=created.method.type,
        source=product.source if product is not None else "",
        details=created.method.details,
        metadata=created.metadata,
        order_reference=created.order_reference,
        hour=hour,
    )


def _reviewed(books: Books, created: PaymentCreated, rules: RuleSet, reasons: tuple[str, ...]) -> list[Event]:
    """A person decides; where the money is only authorized first, the channel holds it meanwhile."""
    policy = rules.policy
    after_authorization = created.capture == "manual"
    opened = PaymentReviewOpened(
        id=child_id(REVIEW, created.id, 1),
        reasons=reasons,
        deadline=books.now + timedelta(hours=policy.review_hours),
        on_deadline=policy.on_deadline,
        four_eyes=policy.four_eyes,
        after_authorization=after_authorization,
    )
    return [opened, *(begin(books, created) if after_authorization else ())]


def _age(books: Books, customer: str | None) -> int:
    known = books.recorded(customer_stream(customer)) if customer is not None else []
    return age_in_hours(known[0].recorded_at if known else None, books.now)


def _customer_metadata(books: Books, customer: str | None) -> dict[str, str]:
    known = books.history(customer_stream(customer)) if customer is not None else []
    created = known[0] if known else None
    return books.opened(created.metadata) if isinstance(created, CustomerCreated) else {}


def _assessed(assessment: Assessment, values: dict[str, SignalValue], lists: Lists) -> PaymentRiskAssessed:
    """The decision with everything that it was taken on; what is false or not there is left out of the lists."""
    on_lists = {name: value for name, value in lists.variables().items() if value}
    return PaymentRiskAssessed(
        assessment.decision,
        assessment.score,
        assessment.reasons,
        assessment.rules,
        {**values, **dict.fromkeys(on_lists, True)},
        assessment.flagged,
    )
