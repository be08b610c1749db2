"""Judging: what a route does around a payment that risk control is going to judge."""

from msgspec.structs import replace
from starlette.responses import Response

from api.dependencies import Caller
from api.risk_control import asks_for_a_code
from commands.confirmations import ConfirmPayment
from commands.payments import CreatePayment
from commands.policies.discounts import payable
from ledger.ids import PAYMENT
from ledger.payment import CREATED
from ledger.payment_state import fold
from ledger.store import read


async def with_signals(caller: Caller, command: CreatePayment) -> CreatePayment:
    """The command with what is known of the payer's past; what is only to be created is judged when it begins."""
    if not command.confirm:
        return command
    charged = replace(command, amount=payable(command.amount, command.discount))
    return replace(command, risk=await caller.world.risk.signals(caller.book, command.id, charged))


async def confirmation_of(caller: Caller, payment: str, answer: str | None) -> ConfirmPayment:
    """The command to begin the payment or to take the payer's answer, with what either takes."""
    risk = caller.world.risk
    command = ConfirmPayment(payment, None if answer is None else caller.world.seal.close(answer))
    if answer is not None:
        return replace(command, proof=risk.codes.proof_of(payment, answer))
    async with caller.world.reading() as connection:
        found = fold(await read.stream(connection, caller.book, payment)) if payment.startswith(PAYMENT) else None
        if found is None or found.status != CREATED:
            return command
        created = await caller.world.vault.opened_value(connection, caller.book, found.created)
    return replace(command, risk=await risk.signals(caller.book, payment, created))


async def hand_over_code(caller: Caller, answer: Response) -> None:
    """Have the code sent that this answer tells the payer of. A caller that asks again has it sent if it was not."""
    await hand_over_code_in(caller, bytes(answer.body))


async def hand_over_code_in(caller: Caller, body: bytes) -> None:
    """The same, of an answer's body."""
    payment = asks_for_a_code(body)
    if payment is not None:
        await caller.world.risk.hand_over_code(caller.book, payment)
