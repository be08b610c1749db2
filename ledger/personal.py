"""Personal data: which fields of which events say something of a person, and of whom; sealed, they travel as tokens.

The one list. A value that stands here is replaced by a token before it is recorded, and goes on as a token through
views, answers, intents and messages; it is opened only where it is told to somebody. So nothing but a key has to be
deleted to erase a person, and what was recorded stays as it was.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from ledger.events.contracts import ContractDrafted, ContractSigningRequested, ContractUpdated, ContractUpdateRequested
from ledger.events.customers import CustomerCreated
from ledger.events.disputes import DisputeChallenged
from ledger.events.event import Event
from ledger.events.payments import PaymentActionRequired, PaymentAttemptInitiated, PaymentCreated
from ledger.events.payouts import PayoutCreated, PayoutReserved
from ledger.events.reviews import PaymentChallenged
from ledger.events.wallets import WalletFrozen, WalletReleased, WalletTransferred
from ledger.risk_keys import MARKED, keys_of
from ledger.tokens import is_token

# Of what is told of the payer's end of the line, what is no trait of his: decisions of later go by it.
_CLIENT_IN_CLEAR = frozenset({"country", "latitude", "longitude", "language", "customer_present"})
_PERSONAL_DETAILS = frozenset({"phone", "device", "fingerprint", "email", "name", "address"})


class Field(msgspec.Struct, frozen=True):
    """A personal field, by its path. Of a map `only` these names, or all but those `in_clear`; None: every name."""

    path: tuple[str, ...]
    only: frozenset[str] | None = None
    in_clear: frozenset[str] = frozenset()


_DETAILS = Field(("details",), only=_PERSONAL_DETAILS)
_METHOD = Field(("method", "details"), only=_PERSONAL_DETAILS)
_DESTINATION = (Field(("destination", "account_number")), Field(("destination", "name")))

PERSONAL: dict[type[Event], tuple[Field, ...]] = {
    CustomerCreated: (Field(("name",)), Field(("metadata",))),
    PaymentCreated: (Field(("client",), in_clear=_CLIENT_IN_CLEAR), _METHOD, Field(("description",))),
    PaymentAttemptInitiated: (_DETAILS,),
    PaymentActionRequired: (Field(("data",), only=frozenset({"sent_to", "phone", "email"})),),
    PaymentChallenged: (Field(("sent_to",)),),
    ContractDrafted: (_METHOD,),
    ContractSigningRequested: (_DETAILS,),
    ContractUpdateRequested: (_METHOD,),
    ContractUpdated: (_METHOD,),
    PayoutCreated: _DESTINATION,
    PayoutReserved: _DESTINATION,
    DisputeChallenged: (Field(("evidence",)),),
    WalletTransferred: (Field(("description",)),),
    WalletFrozen: (Field(("reason",)),),
    WalletReleased: (Field(("reason",)),),
}
# Under these names answers repeat what stands in the events.
_NAMES_IN_ANSWERS = frozenset(
    {"name", "metadata", "description", "client", "details", "data", "destination", "evidence", "reason", "sent_to"}
)


def subject_of(stream: str, event: Event, history: Sequence[Event]) -> str:
    """Whose the personal values of this event are: a customer's, a payee's, or, of a payer nobody knows, the order's.

    The name of a stream. `history`: what the event's own stream held before it.
    """
    if isinstance(event, PayoutCreated | PayoutReserved):
        return f"{event.source}/{event.party}"
    if isinstance(event, CustomerCreated):
        return stream
    for one in (event, *history[:1]):
        if (customer := getattr(one, "customer", None)) is not None:
            return f"customer/{customer}"
    return stream


def personal_values(event: Event) -> list[str]:
    """The values of this event that are still to be sealed."""
    found: list[str] = []

    def note(text: str) -> str:
        found.append(text)
        return text

    sealed(event, note)
    return found


def with_marks(event: Event, stand_in: Callable[[str, str], str]) -> Event:
    """The event with what stands for the values of its payer that are compared with others': of kind and value."""
    if not isinstance(event, PaymentCreated):
        return event
    keys = keys_of(event.customer, event.method, event.client)
    marks = {kind: stand_in(kind, value) for kind, value in keys.items() if kind in MARKED}
    return msgspec.structs.replace(event, marks=marks)


def sealed(event: Event, close: Callable[[str], str]) -> Event:
    """The event with each personal value replaced by what `close` makes of it; tokens and empty texts stay."""
    for field in PERSONAL[type(event)]:
        event = _replaced(event, field.path, field, close)
    return event


def _replaced(struct: Any, path: tuple[str, ...], field: Field, close: Callable[[str], str]) -> Any:
    value = getattr(struct, path[0])
    if value is None:
        return struct
    if len(path) > 1:
        new = _replaced(value, path[1:], field, close)
    elif isinstance(value, str):
        new = _closed(value, close)
    else:
        new = {name: _closed(text, close) if _is_personal(name, field) else text for name, text in value.items()}
    return struct if new == value else msgspec.structs.replace(struct, **{path[0]: new})


def _is_personal(name: str, field: Field) -> bool:
    return name in field.only if field.only is not None else name not in field.in_clear


def _closed(text: str, close: Callable[[str], str]) -> str:
    return text if not text or is_token(text) else close(text)


def sealed_answer(answer: Any, tokens: Mapping[str, str]) -> Any:
    """An answer's JSON value with the personal values that it repeats replaced by their tokens: value -> token."""
    return _in_answer(answer, tokens, personal=False)


def _in_answer(value: Any, tokens: Mapping[str, str], personal: bool) -> Any:
    if isinstance(value, dict):
        return {name: _in_answer(one, tokens, personal or name in _NAMES_IN_ANSWERS) for name, one in value.items()}
    if isinstance(value, list):
        return [_in_answer(one, tokens, personal) for one in value]
    return tokens.get(value, value) if personal and isinstance(value, str) else value
