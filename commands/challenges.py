"""Challenges: a code that only the payer gets, and what follows from the answer.

A code is computed from the payment's id with a secret of this installation, so it is stored nowhere but where it waits
to be sent; the log holds a proof of it, which is keyed as well and does not tell it.

challenged ──right answer──▶ goes on
           ├─wrong answers──▶ rejected
           └─time runs out──▶ expired, as any payment that waits for its payer
"""

import hashlib
import hmac
from datetime import timedelta

from commands.attempts import begin
from commands.books import Books
from commands.notifying import masked
from ledger.errors import PaymentStateInvalid
from ledger.events.event import Event
from ledger.events.payments import PaymentActionRequired, PaymentExpired, PaymentRejected
from ledger.events.reviews import PaymentChallenged, PaymentChallengeFailed, PaymentChallengePassed
from ledger.events.risk import RiskPolicy
from ledger.payment import REQUIRES_ACTION, Payment

ONE_TIME_CODE = "one_time_code"
BLOCKED = "blocked"
_DIGITS = 6


class Codes:
    """Makes the codes of this installation, and the proofs of answers."""

    def __init__(self, secret: bytes) -> None:
        self._secret = hmac.digest(secret, b"one-time codes", hashlib.sha256)

    def code_for(self, payment: str) -> str:
        """The code of a payment: six digits."""
        digest = hmac.digest(self._secret, f"code {payment}".encode(), hashlib.sha256)
        return f"{int.from_bytes(digest) % 10**_DIGITS:0{_DIGITS}d}"

    def proof_of(self, payment: str, answer: str) -> str:
        """What is compared, and recorded: it cannot be turned back into the answer without the secret."""
        return hmac.digest(self._secret, f"proof {payment} {answer.strip()}".encode(), hashlib.sha256).hex()


def recipient_of(client: dict[str, str], customer_metadata: dict[str, str]) -> str:
    """Where a code is sent: by telephone before e-mail, what the order says before what is known; empty for nowhere.

    An order's own word is taken only where nothing is known of the customer: whoever orders in another's name would
    have the code sent to himself.
    """
    for known in (customer_metadata, client):
        for kind in ("phone", "email"):
            if known.get(kind):
                return known[kind]
    return ""


def challenge(books: Books, policy: RiskPolicy, recipient: str, proof: str) -> list[Event]:
    """Ask the payer for the code with this proof, before anything is sent to a channel."""
    expires_at = books.now + timedelta(minutes=policy.challenge_minutes)
    sent_to = masked(recipient)
    return [
        PaymentChallenged(proof, sent_to, policy.challenge_tries, expires_at),
        PaymentActionRequired("", ONE_TIME_CODE, data={"sent_to": sent_to}, expires_at=expires_at),
    ]


def answer_challenge(books: Books, payment: Payment, answer: str) -> list[Event]:
    """What follows from the payer's answer, given as `Codes.proof_of` it; raises PaymentStateInvalid if none is due."""
    asked = payment.challenge
    if asked is None or payment.status != REQUIRES_ACTION:
        raise PaymentStateInvalid("No code is asked for.", payment_status=payment.status)
    if books.now >= asked.expires_at:
        return [PaymentExpired()]
    if hmac.compare_digest(asked.proof, answer):
        return [PaymentChallengePassed(), *begin(books, payment.created)]
    failed = PaymentChallengeFailed(asked.wrong + 1)
    if failed.number >= asked.tries:
        return [failed, PaymentRejected(BLOCKED, f"answered wrongly {failed.number} times")]
    return [failed]
