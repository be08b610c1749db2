"""Files of a reconciled day: what each channel reports of it, what it pays by that, and the statement of our bank.

Channels are asked over HTTP; what they pay is added up here from their own words, day of settlement by day. The bank's
statement is written here, for nobody else plays the bank.
"""

import csv
import gzip
import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal

import httpx2

BY_TABLE = ("card_simulator", "card_simulator_b", "bank_redirect", "carrier", "instant_payouts", "coin_gateway")
# The channel, and the source as which its bill is read.
BY_BILL = {"alipay": "alipay", "wechat_pay": "wechatpay"}
CHINA = timezone(timedelta(hours=8))
_PAID_BESIDE = ("payout", "payout_returned")
Table = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class ChannelFile:
    """A report of one channel over one of its days."""

    channel: str
    source: str
    day: date
    content: bytes


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the bank's statement: minor units, below 0 what left."""

    amount: int
    currency: str
    text: str
    reference: str = "NONREF"


def read_files(simulator_url: str, begun: datetime) -> list[ChannelFile]:
    """Every channel's report of every day since then, of its own days, that has rows."""
    with httpx2.Client(base_url=simulator_url, trust_env=False, timeout=120) as client:

        def get(path: str, channel: str, day: date) -> bytes:
            asked = {"channel": channel, "date": day.isoformat()}
            return client.get(path, params=asked).raise_for_status().content

        found = [
            ChannelFile(channel, "channel_csv", day, get("/control/settlement", channel, day))
            for channel in BY_TABLE
            for day in _days(begun.astimezone(UTC))
        ]
        found += [
            ChannelFile(channel, source, day, get("/control/bill", channel, day))
            for channel, source in BY_BILL.items()
            for day in _days(begun.astimezone(CHINA))
        ]
    return [file for file in found if table_of(file)]


def _days(begun: datetime) -> list[date]:
    today = datetime.now(begun.tzinfo).date()
    return [begun.date() + timedelta(days=number) for number in range((today - begun.date()).days + 1)]


# --- what it says -----------------------------------------------------------------------------------------------------


def table_of(file: ChannelFile) -> Table:
    """The rows, read in the plainest way there is."""
    if file.source == "channel_csv":
        return list(csv.DictReader(io.StringIO(file.content.decode())))
    if file.source == "alipay":
        with zipfile.ZipFile(io.BytesIO(file.content)) as packed:
            text = packed.read(packed.namelist()[0]).decode("gbk")
        lines = [line for line in text.splitlines() if not line.startswith("#")]
    else:
        text = gzip.decompress(file.content).decode()
        lines = text.splitlines()[:-2]
    heading, *rows = ([cell.strip().lstrip("`") for cell in line.split(",")] for line in lines)
    return [dict(zip(heading, row, strict=True)) for row in rows]


def paid_by(file: ChannelFile) -> Counter[tuple[str, str]]:
    """What the channel pays for it: by batch, as we call it, and currency."""
    paid: Counter[tuple[str, str]] = Counter()
    exact = Decimal(0)
    for row in table_of(file):
        match file.source:
            case "channel_csv" if row["type"] not in _PAID_BESIDE:
                currency = row["currency"]
                paid[f"{row['settles_on']}-{currency.lower()}", currency] += int(row["net"])
            case "alipay":
                paid[f"{file.day}", "CNY"] += _fen(row["商家实收（元）"]) + _fen(row["服务费（元）"])
            case "wechatpay":
                paid[f"{file.day}", "CNY"] += _fen(row["应结订单金额"]) - _fen(row["退款金额"])
                exact += Decimal(row["手续费"]) * 100
    if file.source == "wechatpay":
        paid[f"{file.day}", "CNY"] -= int(exact.quantize(Decimal(1), ROUND_HALF_UP))
    return paid


def _fen(yuan: str) -> int:
    return int(Decimal(yuan) * 100)


# --- what is changed in it --------------------------------------------------------------------------------------------


def written(file: ChannelFile, table: Sequence[Mapping[str, str]]) -> ChannelFile:
    """The table of our own channels with other rows."""
    out = io.StringIO()
    rows = csv.DictWriter(out, list(table[0]))
    rows.writeheader()
    rows.writerows(table)
    return ChannelFile(file.channel, file.source, file.day, out.getvalue().encode())


def bill_without(file: ChannelFile, row: int) -> ChannelFile:
    """A bill of WeChat Pay's kind without this row, whose sums say so too."""
    lines = gzip.decompress(file.content).decode().splitlines()
    cells = dict(zip(lines[0].split(","), lines[1 + row].replace("`", "").split(","), strict=True))
    sums = [Decimal(one) for one in lines[-1].replace("`", "").split(",")]
    summed = ("应结订单金额", "退款金额", "充值券退款金额", "手续费", "订单金额", "申请退款金额")
    less = [Decimal(1), *(Decimal(cells[name]) for name in summed)]
    lines[-1] = ",".join(f"`{one - other}" for one, other in zip(sums, less, strict=True))
    del lines[1 + row]
    return ChannelFile(file.channel, file.source, file.day, gzip.compress("\r\n".join((*lines, "")).encode(), mtime=0))


# --- the bank ---------------------------------------------------------------------------------------------------------

_YEN = re.compile("JPY|KRW|VND")


def mt940(
    account: str, lines: Iterable[Line], day: date, number: int, opening: Mapping[str, int] | None = None
) -> bytes:
    """A message of one statement for each currency; `opening` is what stood there before, nothing without it."""
    by_currency: dict[str, list[Line]] = {}
    for line in lines:
        by_currency.setdefault(line.currency, []).append(line)
    before = opening or {}
    statements = (_statement(account, c, found, day, number, before.get(c, 0)) for c, found in by_currency.items())
    return "".join(statements).encode()


def _statement(account: str, currency: str, lines: Sequence[Line], day: date, number: int, opening: int) -> str:
    begin = [f":20:DAY{number}{currency}", f":25:{account}{currency}", f":28C:{number}/1"]
    begin.append(f":60F:{_balance(opening, currency, day)}")
    body: list[str] = []
    for place, line in enumerate(lines, 1):
        sign = "C" if line.amount > 0 else "D"
        amount = _comma(abs(line.amount), currency)
        reference = line.reference if len(line.reference) <= 16 else "NONREF"
        body.append(f":61:{day:%y%m%d}{sign}{amount}NTRF{reference}//B{number}{currency}{place}")
        text = line.text if line.reference == reference else f"{line.reference} {line.text}"
        body += [f":86:{text[:65]}", *(text[at : at + 65] for at in range(65, len(text), 65))]
    end = f":62F:{_balance(opening + sum(line.amount for line in lines), currency, day)}"
    return "\n".join((*begin, *body, end, "-", ""))


def _balance(minor: int, currency: str, day: date) -> str:
    return f"{'C' if minor >= 0 else 'D'}{day:%y%m%d}{currency}{_comma(abs(minor), currency)}"


def _comma(minor: int, currency: str) -> str:
    return f"{minor}," if _YEN.match(currency) else f"{minor // 100},{minor % 100:02d}"
