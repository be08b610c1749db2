"""Methods: what each kind of method of payment needs to be told beside its name, as data.

A method that is not listed needs nothing; what a channel can do with it is the channel's affair.
"""

from collections.abc import Callable

import msgspec

from commands.policies.banks import bank_objections
from commands.policies.caps import phone_objections
from commands.policies.channels import CHANNELS
from commands.policies.coins import coin_objections
from ledger.errors import AmountOutsideLimits, CurrencyMismatch, FieldInvalid, FieldMissing, Refusal
from ledger.events.payments import Method

# How a payer comes from the shop to his wallet: he scans a code, is sent to a page, or is handed over to the app.
SCENES = ("qr", "redirect", "app")


def _nothing(value: str, amount: int, currency: str) -> list[Refusal]:
    return []


def _no_objections(method: Method, amount: int, currency: str) -> list[Refusal]:
    return []


class Detail(msgspec.Struct, frozen=True):
    """One field of a method: the words that it may say, if they are few, and what else it is judged by."""

    name: str
    words: tuple[str, ...] = ()
    objections: Callable[[str, int, str], list[Refusal]] = _nothing


_SCENE = Detail("scene", words=SCENES)
# What is judged as a whole.
OBJECTIONS: dict[str, Callable[[Method, int, str], list[Refusal]]] = {
    "carrier_billing": phone_objections,
    "coin": lambda method, amount, currency: coin_objections(method),
}
NEEDS: dict[str, tuple[Detail, ...]] = {
    "bank_redirect": (Detail("bank", objections=bank_objections),),
    "alipay": (_SCENE,),
    "wechat_pay": (_SCENE,),
    "contract": (Detail("contract"),),
}


def method_objections(method: Method, amount: int, currency: str) -> list[Refusal]:
    """Everything that the method lacks, or that does not fit the order; amount in minor units."""
    found: list[Refusal] = OBJECTIONS.get(method.type, _no_objections)(method, amount, currency)
    for detail in NEEDS.get(method.type, ()):
        pointer, value = f"/method/{detail.name}", method.details.get(detail.name)
        if value is None:
            found.append(FieldMissing(f"{method.type} needs to know the {detail.name}.", pointer=pointer))
        elif detail.words and value not in detail.words:
            found.append(FieldInvalid(f"One of {', '.join(detail.words)} is expected.", pointer=pointer))
        else:
            found += detail.objections(value, amount, currency)
    return found + _of_channels(method.type, amount, currency)


def _of_channels(method: str, amount: int, currency: str) -> list[Refusal]:
    """What no channel will ever do is refused at once: to ask again later would not help."""
    carriers = [terms for terms in CHANNELS if method in terms.methods]
    if not carriers:
        return []
    able = [terms for terms in carriers if not terms.currencies or currency in terms.currencies]
    if not able:
        known = sorted({code for terms in carriers for code in terms.currencies})
        detail = f"{method} is paid in {', '.join(known)}."
        return [CurrencyMismatch(detail, pointer="/currency", supported=[*known])]
    if not any(terms.takes(amount, currency) for terms in able):
        return [AmountOutsideLimits(pointer="/amount")]
    return []
