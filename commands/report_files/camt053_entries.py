"""Entries of camt.053: one booking of a bank as rows: by itself, or exploded into the transactions that it is made of.

A batch is exploded only if the amounts of its TxDtls come to the entry, exactly; where they do not, the entry is
rejected, and where amounts of them are absent it stays one row. Charges become a row's fee only if the bank says that
the amount includes them (ChrgInclInd), so that gross − fee = net = what the account moved. What was returned (RtrInf)
stays a credit or a debit; its text begins with `returned`, the reason beside it, and `about` is the original's
end-to-end id.
"""

from collections.abc import Iterator
from datetime import date, datetime
from hashlib import blake2b
from tempfile import SpooledTemporaryFile
from typing import Self

import msgspec
from msgspec import Struct

from commands.report_files.opening import Unreadable, day, known_currency, minor_units, shown, without_card_numbers
from commands.report_files.xml_elements import Element
from ledger.report_row import ReportRow

_IN_MEMORY_BYTES = 4 << 20  # details of one entry; a batch of a hundred thousand goes to a temporary file
_MOST_NAMED = 50  # end-to-end ids in the text of a batch that stays one row
_POSTED = {"BOOK": True, "PDNG": False, "INFO": False, "FUTR": False}
_SIGNS = {"CRDT": 1, "DBIT": -1}
# Ids by definition: their digits are never those of a card.
_IDS = {
    "EndToEndId",
    "TxId",
    "UETR",
    "AcctSvcrRef",
    "AcctSvcrTxId",
    "AcctOwnrTxId",
    "MsgId",
    "PmtInfId",
    "InstrId",
    "ClrSysRef",
    "MktInfrstrctrTxId",
    "PrcgId",
    "MndtId",
    "NtryRef",
    "IBAN",
    "Ref",
    "Nb",
}
_IN_ACCOUNT_CURRENCY = ("Amt", "AmtDtls/TxAmt/Amt", "AmtDtls/CntrValAmt/Amt")
_INSTRUCTED = ("AmtDtls/InstdAmt/Amt",)
_NOTHING = {"", "NOTPROVIDED", "NOT PROVIDED", "NONREF"}
_SAID = ("RmtInf/Ustrd", "CdtrRefInf/Ref", "RfrdDocInf/Nb", "AddtlRmtInf", "AddtlTxInf", "AddtlNtryInf")


class Booking(Struct, frozen=True):
    """What an entry states of itself; `amount` is without sign."""

    sense: str
    amount: int
    currency: str
    posted: bool
    value_date: date | None
    at: datetime | None

    @property
    def minor(self) -> int:
        return _SIGNS[self.sense] * self.amount


class _Detail(Struct, frozen=True):
    """One TxDtls, as it came."""

    fields: list[tuple[str, str]]
    charges: list[tuple[str, str, str]]
    """Charges that its amount includes: amount, currency, sense."""

    def text(self, path: str) -> str:
        return next((text for at, text in self.fields if at == path), "")


class Details:
    """The TxDtls of one entry, in memory as long as they are few."""

    def __init__(self) -> None:
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(_Detail).decode
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115  it is closed by __exit__
        self.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._count

    def clear(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._count = 0
        self._content = blake2b(digest_size=16)

    def add(self, details: Element) -> None:
        line = self._encode(_Detail(list(details.fields()), _included_charges(details)))
        self._content.update(line)
        self._file.write(line + b"\n")
        self._count += 1

    def __iter__(self) -> Iterator[_Detail]:
        self._file.seek(0)
        for line in self._file:
            yield self._decode(line)

    @property
    def content(self) -> str:
        return self._content.hexdigest()


def unsigned(text: str, currency: str) -> int:
    """An amount as the schema has it: without sign, decimals beyond the currency's only if they are 0."""
    minor = minor_units(text, known_currency(currency), padded=True)
    if minor < 0 or text.strip().startswith(("+", "-")):
        raise Unreadable(f"{shown(text)} has a sign")
    return minor


def sense_of(element: Element) -> int:
    sense = element.text_at("CdtDbtInd")
    if sense not in _SIGNS:
        raise Unreadable(f"CdtDbtInd {shown(sense)} is neither CRDT nor DBIT")
    return _SIGNS[sense]


def stated(entry: Element) -> Booking:
    """What the entry says of itself; raises Unreadable, and then it counts nowhere."""
    amount = entry.first("Amt")
    currency = amount.attributes.get("Ccy", "") if amount is not None else ""
    sense_of(entry)
    status = entry.text_at("Sts/Cd") or entry.text_at("Sts")
    if status not in _POSTED:
        raise Unreadable(f"its status {shown(status or entry.text_at('Sts/Prtry'))} is not known")
    booked_at, booked_on = _when(entry, "BookgDt")
    _, value_date = _when(entry, "ValDt")
    return Booking(
        sense=entry.text_at("CdtDbtInd"),
        amount=unsigned(entry.text_at("Amt"), currency),
        currency=known_currency(currency),
        posted=_POSTED[status],
        value_date=value_date or booked_on,
        at=booked_at,
    )


def _when(entry: Element, path: str) -> tuple[datetime | None, date | None]:
    """A moment only if it is told with its zone, and its day."""
    text = entry.text_at(f"{path}/DtTm") or entry.text_at(f"{path}/Dt")
    if not text:
        return None, None
    on = day(text)
    if len(text) <= len("2020-01-31+01:00"):  # a day, perhaps with its zone, or a time without any seconds
        return None, on
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Unreadable(f"{shown(text)} is no time") from None
    return (at if at.tzinfo is not None else None), on


def _included_charges(element: Element) -> list[tuple[str, str, str]]:
    """Version 02 cannot say that an amount includes them."""
    found = []
    for record in element.all("Chrgs/Rcrd"):
        amount = record.first("Amt")
        if amount is not None and record.text_at("ChrgInclInd") in {"true", "1"}:
            found.append((amount.text, amount.attributes.get("Ccy", ""), record.text_at("CdtDbtInd")))
    return found


def _cost(charges: list[tuple[str, str, str]], currency: str) -> int:
    """What was kept, in minor units, below 0 what was given back; of another currency's nothing can be said."""
    return sum(
        (-1 if sense == "CRDT" else 1) * unsigned(text, currency) for text, of, sense in charges if of == currency
    )


def entry_rows(
    entry: Element, booking: Booking, details: Details, account: str, statement: str, line: int
) -> Iterator[ReportRow]:
    """The rows of an entry, numbered from `line`; raises Unreadable before the first of them."""
    own_cost = _cost(_included_charges(entry), booking.currency)
    make = _Maker(entry, booking, account, statement)
    paths, before_charges, rest = _explosion(booking, details, own_cost)
    if not paths:
        lone = next(iter(details)) if len(details) == 1 else None
        cost = own_cost or (_cost(lone.charges, booking.currency) if lone is not None else 0)
        yield make.row(line, lone, booking.minor, cost, make.named(details) if lone is None else "")
        return
    for number, detail in enumerate(details, 1):
        amount = _amount(detail, booking, paths) or 0
        cost = _cost(detail.charges, booking.currency) or (own_cost if len(details) == 1 else 0)
        net = amount - cost if before_charges else amount
        yield make.row(line + number - 1, detail, net, cost, number=number if len(details) > 1 else 0)
    if rest:
        yield make.row(line + len(details), None, rest, 0, "charges of the batch", number=len(details) + 1)


def _explosion(booking: Booking, details: Details, own_cost: int) -> tuple[tuple[str, ...], bool, int]:
    """How the details make up the entry: where their amounts stand, whether charges come off those, and what is left.

    What is left is a charge that the entry states for the batch as a whole. No place: it stays one row.
    """
    if not len(details):
        return (), False, 0
    for paths in (_IN_ACCOUNT_CURRENCY, _INSTRUCTED):
        total, costs, complete = 0, 0, True
        for detail in details:
            amount = _amount(detail, booking, paths)
            complete = complete and amount is not None
            total += amount or 0
            costs += _cost(detail.charges, booking.currency)
        if not complete:
            continue
        if total == booking.minor:
            return paths, False, 0
        if total - (costs or own_cost) == booking.minor:
            lump = not costs and len(details) > 1
            return paths, not lump, -own_cost if lump else 0
        # What was instructed may rightly differ from what was booked.
        if paths is _IN_ACCOUNT_CURRENCY:
            raise Unreadable(f"its {len(details)} TxDtls come to {total} minor units, the entry to {booking.minor}")
    return (), False, 0


def _amount(detail: _Detail, booking: Booking, paths: tuple[str, ...]) -> int | None:
    """Signed, in the currency of the entry; None where it is not told in that."""
    for path in paths:
        if detail.text(f"{path}@Ccy") == booking.currency:
            sense = detail.text("CdtDbtInd") or booking.sense
            if sense not in _SIGNS:
                raise Unreadable(f"CdtDbtInd {shown(sense)} is neither CRDT nor DBIT")
            return _SIGNS[sense] * unsigned(detail.text(path), booking.currency)
    return None


class _Maker:
    """Makes the rows of one entry."""

    def __init__(self, entry: Element, booking: Booking, account: str, statement: str) -> None:
        self._booking, self._account, self._statement = booking, account, statement
        self._fields = list(entry.fields())
        self._entry = dict(reversed(self._fields))  # of several texts at one path the first

    def row(
        self, line: int, detail: _Detail | None, net: int, cost: int, extra: str = "", number: int = 0
    ) -> ReportRow:
        """`number`: the how-manieth of several TxDtls; a reference of the whole entry does not tell them apart."""
        booking = self._booking
        of_detail = dict(reversed(detail.fields)) if detail is not None else {}

        def told(*paths: str) -> str:
            return next((text for path in paths if (text := of_detail.get(path, "").strip()) not in _NOTHING), "")

        of_entry = self._entry.get("AcctSvcrRef", "")
        own = told("Refs/AcctSvcrRef")
        if number and (not own or own == of_entry):
            own = f"{of_entry}/{number}" if of_entry else ""
        fields = self._fields + [(f"TxDtls/{path}", text) for path, text in (detail.fields if detail else [])]
        return ReportRow(
            line=line,
            kind="credit" if net > 0 or (net == 0 and booking.sense == "CRDT") else "debit",
            external_id=own or of_entry,
            our_reference=told("Refs/EndToEndId"),
            gross=net + cost,
            currency=booking.currency,
            fee=cost,
            fee_currency=booking.currency,
            net=net,
            net_currency=booking.currency,
            at=booking.at,
            value_date=booking.value_date,
            batch=told("Refs/PmtInfId")
            or self._entry.get("NtryDtls/Btch/PmtInfId", "")
            or told("Refs/MsgId")
            or self._entry.get("NtryDtls/Btch/MsgId", ""),
            bank_reference=told("Refs/UETR", "Refs/TxId", "Refs/ClrSysRef") or own or of_entry,
            entry_id=own or of_entry,
            about=told("Refs/EndToEndId") if any(path.startswith("RtrInf/") for path in of_detail) else "",
            account=self._account,
            statement=self._statement,
            text=_text(fields, extra),
            posted=booking.posted,
            raw=_raw(fields),
        )

    def named(self, details: Details) -> str:
        """What a batch that stays one row is made of, as far as it is short."""
        names = []
        for detail, _ in zip(details, range(_MOST_NAMED), strict=False):
            names.append(detail.text("Refs/EndToEndId"))
        return " ".join(name for name in names if name not in _NOTHING)


def _text(fields: list[tuple[str, str]], extra: str) -> str:
    returned = [text for path, text in fields if path.startswith("TxDtls/RtrInf/") and "@" not in path]
    said = ["returned " + " ".join(returned)] if returned else []
    if any(path == "RvslInd" and text in {"true", "1"} for path, text in fields):
        said.append("reversal")
    said += [_shown(path, text) for path, text in fields if _is_said(path)]
    return " | ".join(dict.fromkeys([*said, extra] if extra else said))


def _is_said(path: str) -> bool:
    party = "/RltdPties/" in path and path.endswith("/Nm")
    return (party or path.endswith(_SAID)) and "/RtrInf/" not in path


def _shown(path: str, text: str) -> str:
    return text if path.rpartition("/")[2] in _IDS else without_card_numbers(text)


def _raw(fields: list[tuple[str, str]]) -> dict[str, str]:
    raw: dict[str, str] = {}
    for path, text in fields:
        shown_text = _shown(path, text)
        raw[path] = f"{raw[path]}\n{shown_text}" if path in raw else shown_text
    return raw
