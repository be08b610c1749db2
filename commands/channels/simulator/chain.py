"""Chain: what payers send to an address, how blocks come to lie on it, and what a chain takes back."""

from typing import Annotated

from msgspec import Meta, Struct, structs

from commands.channels.channel import CoinTransfer
from commands.channels.simulator.operations import Operation, Refused, moment
from commands.channels.simulator.store import Store
from ledger.money import LARGEST


class CoinsOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """`amount` minor units of the coin come to the charge's address; with a known `txid`, so many blocks lie on it now.

    `dropped`: the transaction is in no block any more. `amount` 0: what it was before, or all that was asked for.
    """

    charge: str
    txid: Annotated[str, Meta(pattern=r"^[!-~]{1,64}\Z")] = "tx_1"
    amount: Annotated[int, Meta(ge=0, le=LARGEST)] = 0
    confirmations: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    dropped: bool = False


def send(store: Store, order: CoinsOrder, now_ms: int) -> Operation:
    """The charge with what came to its address, whatever has become of the charge itself. Raises Refused."""
    asked = store.get("charge", order.charge)
    if asked is None or asked.action != "pay_to_address":
        raise Refused(404, "not_found", "There is no such address.")
    known = next((one for one in asked.transfers if one.txid == order.txid), None)
    sent = CoinTransfer(
        txid=order.txid,
        amount=order.amount or (asked.amount if known is None else known.amount),
        confirmations=order.confirmations,
        at=moment(now_ms) if known is None else known.at,
        dropped=order.dropped,
    )
    others = tuple(one for one in asked.transfers if one.txid != sent.txid)
    return store.tell(structs.replace(asked, transfers=(*others, sent)), now_ms)
