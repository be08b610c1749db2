"""PayPal's transaction event codes (T-codes): what each means here, by its group and by which way the money went.

The first two digits are an accounting group, the last two the event in it. Only codes whose meaning differs from that
of their group are listed; what is not known stays `unknown` and is for a person.
"""

from ledger.report_row import RowKind

# Credit to us, debit from us.
_GROUPS: dict[str, tuple[RowKind, RowKind]] = {
    "00": ("sale", "unknown"),  # a payment from account to account; those we send ourselves are listed below
    "01": ("fee", "fee"),
    "02": ("fx", "fx"),
    "03": ("adjustment", "adjustment"),  # from our bank into the account
    "04": ("payout_returned", "payout"),  # from the account to our bank
    "05": ("adjustment", "adjustment"),
    "06": ("adjustment", "adjustment"),
    "07": ("adjustment", "adjustment"),
    "08": ("adjustment", "adjustment"),
    "09": ("adjustment", "adjustment"),
    "10": ("adjustment", "adjustment"),
    "11": ("adjustment", "adjustment"),
    "12": ("adjustment", "adjustment"),
    "14": ("adjustment", "adjustment"),
    "15": ("reserve_released", "reserve_held"),
    "16": ("adjustment", "adjustment"),
    "17": ("payout_returned", "payout"),
    "18": ("adjustment", "adjustment"),
    "19": ("adjustment", "adjustment"),
    "20": ("adjustment", "adjustment"),
    "21": ("reserve_released", "reserve_held"),
    "22": ("adjustment", "adjustment"),
}

_CODES: dict[str, tuple[RowKind, RowKind]] = {
    "T0001": ("sale", "payout"),  # mass payment
    "T0015": ("adjustment", "payout"),  # payout to a third party
    "T0016": ("adjustment", "adjustment"),  # and its recoupment
    "T0017": ("adjustment", "adjustment"),  # store to store
    "T1100": ("reversed", "reversed"),
    "T1101": ("payout_returned", "adjustment"),  # of a withdrawal
    "T1105": ("reserve_released", "reserve_held"),  # of a hold
    "T1106": ("chargeback_reversed", "chargeback"),  # of a payment, by PayPal
    "T1107": ("refund_returned", "refund"),
    "T1108": ("fee", "fee"),  # of a fee
    "T1109": ("fee", "fee"),  # refund of a fee
    "T1110": ("reserve_released", "reserve_held"),  # hold while a dispute is looked at
    "T1111": ("reserve_released", "reserve_held"),  # its end
    "T1113": ("adjustment", "refund"),  # credit that refers to no payment
    "T1114": ("payout_returned", "adjustment"),  # of a mass payment
    "T1115": ("payout_returned", "adjustment"),
    "T1201": ("chargeback_reversed", "chargeback"),
    "T1202": ("chargeback_reversed", "chargeback"),
    "T1205": ("chargeback_reversed", "adjustment"),  # reimbursement
    "T1207": ("chargeback_reversed", "chargeback"),  # our answer was not accepted
    "T1208": ("chargeback_reversed", "chargeback"),
    "T2109": ("adjustment", "adjustment"),  # gift certificates
    "T2110": ("adjustment", "adjustment"),
}


def kind_of(code: str, is_credit: bool) -> RowKind:
    """What a row with this event code is about."""
    of_credit, of_debit = _CODES.get(code) or _GROUPS.get(code[1:3], ("unknown", "unknown"))
    return of_credit if is_credit else of_debit
