"""Bills: the day as wallet platforms bill it, in their own files; China's days, from midnight to midnight there.

alipay       a zip with a list and a summary, in GBK, lines end with CR LF; lines that begin with # are no rows
wechat_pay   a gzip of UTF-8, each value behind a backtick, fees with five decimals, sums in the last line
"""

import gzip
import zlib
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from struct import pack

from commands.channels.alipay_forms import CHINA, TIME
from commands.channels.simulator.operations import Movement, moment
from commands.channels.yuan import yuan
from commands.policies.channels import ChannelTerms

_TRADES = ("charge",)
_REFUNDS = ("refund",)
_ALIPAY_COLUMNS = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,"
    "订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,"
    "商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
)
_ALIPAY_SUMMARY = (
    "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,支付宝优惠（元）,商家优惠（元）,"
    "卡消费金额（元）,服务费（元）,分润（元）,实收净额（元）"
)
_WECHAT_COLUMNS = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,"
    "应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,"
    "手续费,费率,订单金额,申请退款金额,费率备注"
)
_WECHAT_SUMS = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"


def bounds(day: date) -> tuple[int, int]:
    """China's day as Unix milliseconds, its end not included."""
    start = datetime(day.year, day.month, day.day, tzinfo=CHINA)
    return int(start.timestamp()) * 1_000, int((start + timedelta(days=1)).timestamp()) * 1_000


# --- Alipay ----------------------------------------------------------------------------------------------------------


def alipay(terms: ChannelTerms, movements: Sequence[Movement], day: date, now_ms: int) -> bytes:
    """The zip."""
    account = f"{terms.account}0156"
    head = [f"#账号：[{account}]", f"#起始日期：[{_spoken(day)}]   终止日期：[{_spoken(day + timedelta(days=1))}]"]
    foot = [*_alipay_sums(movements), f"#导出时间：[{_spoken_at(now_ms)}]"]
    listed = [
        "#支付宝业务明细查询",
        *head,
        "#-----------------------------------------业务明细列表----------------------------------------",
    ]
    listed += [_ALIPAY_COLUMNS, *(_alipay_row(one) for one in movements if one.type in (*_TRADES, *_REFUNDS))]
    listed += ["#-----------------------------------------业务明细列表结束------------------------------------", *foot]
    summed = [
        "#支付宝业务汇总查询",
        *head,
        "#-----------------------------------------业务汇总列表----------------------------------------",
    ]
    summed += [_ALIPAY_SUMMARY, _alipay_summary(movements)]
    summed += [
        "#-----------------------------------------业务汇总列表结束------------------------------------",
        foot[-1],
    ]
    name = f"{account}_{day:%Y%m%d}_业务明细"
    return _zipped([(f"{name}.csv", _lines(listed)), (f"{name}(汇总).csv", _lines(summed))])


def _alipay_row(one: Movement) -> str:
    back = one.type in _REFUNDS
    gross, at = _signed(one.gross), moment(one.at_ms).astimezone(CHINA).strftime(TIME)
    row = [one.reference, one.charge, "退款" if back else "交易", "", at, at, "", "", "", "", "payer@example.com"]
    row += [gross, gross, "0.00", "0.00", "0.00", "0.00", "0.00", "", "0.00", "0.00"]
    # What the platform keeps stands there as what is taken from us.
    row += [one.id if back else "", _signed(-one.fee), "0.00", ""]
    return ",".join(f"{value}\t" for value in row)


def _alipay_sums(movements: Sequence[Movement]) -> list[str]:
    spoken = []
    for word, types in (("交易", _TRADES), ("退款", _REFUNDS)):
        found = [one for one in movements if one.type in types]
        spoken.append(
            f"#{word}合计：{len(found)}笔，商家实收共{_signed(sum(one.gross for one in found))}元，商家优惠共0.00元"
        )
    return spoken


def _alipay_summary(movements: Sequence[Movement]) -> str:
    found = [one for one in movements if one.type in (*_TRADES, *_REFUNDS)]
    trades = sum(one.type in _TRADES for one in found)
    gross, fee = sum(one.gross for one in found), sum(one.fee for one in found)
    row = ["合计", "", str(trades), str(len(found) - trades), _signed(gross), _signed(gross), "0.00", "0.00", "0.00"]
    return ",".join(f"{value}\t" for value in [*row, _signed(-fee), "0.00", _signed(gross - fee)])


def _lines(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode("gbk")


def _spoken(day: date) -> str:
    return f"{day.year}年{day.month:02d}月{day.day:02d}日 00:00:00"


def _spoken_at(at_ms: int) -> str:
    at = moment(at_ms).astimezone(CHINA)
    return f"{at.year}年{at.month:02d}月{at.day:02d}日 {at:%H:%M:%S}"


def _signed(amount: int) -> str:
    return f"-{yuan(-amount)}" if amount < 0 else yuan(amount)


def _zipped(files: Sequence[tuple[str, bytes]]) -> bytes:
    """A zip whose names are in GBK and do not say so, as the platform makes them; `zipfile` writes UTF-8 only."""
    body, directory = b"", b""
    for name, content in files:
        squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = squeeze.compress(content) + squeeze.flush()
        named, sizes = name.encode("gbk"), (zlib.crc32(content), len(packed), len(content))
        # 1980-01-01, so that the same day is the same file.
        common = pack("<HHHHHIIIHH", 20, 0, 8, 0, 0x21, *sizes, len(named), 0)
        directory += b"PK\x01\x02" + pack("<H", 20) + common + pack("<HHHII", 0, 0, 0, 0, len(body)) + named
        body += b"PK\x03\x04" + common + named + packed
    end = pack("<HHHHIIH", 0, 0, len(files), len(files), len(directory), len(body), 0)
    return body + directory + b"PK\x05\x06" + end


# --- WeChat Pay ------------------------------------------------------------------------------------------------------


def wechat_pay(terms: ChannelTerms, movements: Sequence[Movement], day: date, now_ms: int) -> bytes:
    """The gzip."""
    found = [one for one in movements if one.type in (*_TRADES, *_REFUNDS)]
    trades = [one for one in found if one.type in _TRADES]
    taken, back = sum(one.gross for one in trades), -sum(one.gross for one in found if one.type in _REFUNDS)
    fees = sum(_wechat_fee(terms, one) for one in found)
    sums = [str(len(found)), yuan(taken), yuan(back), "0.00", _hundred_thousandths(fees), yuan(taken), yuan(back)]
    lines = [_WECHAT_COLUMNS, *(_wechat_row(terms, one) for one in found), _WECHAT_SUMS, _ticked(sums)]
    return gzip.compress("".join(f"{line}\r\n" for line in lines).encode(), mtime=0)


def _wechat_row(terms: ChannelTerms, one: Movement) -> str:
    back = one.type in _REFUNDS
    amount, at = yuan(abs(one.gross)), moment(one.at_ms).astimezone(CHINA).strftime(TIME)
    settled, returned = ("0.00", amount) if back else (amount, "0.00")
    row = [at, "wx0000000000000001", terms.account, "0", "", one.reference, one.charge, "payer", "NATIVE"]
    row += ["REFUND" if back else "SUCCESS", "OTHERS", one.currency, settled, "0.00"]
    row += [one.reference if back else "0", one.id if back else "0", returned, "0.00"]
    row += ["ORIGINAL" if back else "", "SUCCESS" if back else "", "", ""]
    row += [_hundred_thousandths(_wechat_fee(terms, one)), f"{terms.fee_bps // 100}.{terms.fee_bps % 100:02d}%"]
    return _ticked([*row, settled, returned, ""])


def _wechat_fee(terms: ChannelTerms, one: Movement) -> int:
    """In hundred-thousandths of a yuan, finer than what is taken from us in the end; a refund gives none back."""
    return one.gross * terms.fee_bps // 10 if one.type in _TRADES else 0


def _hundred_thousandths(amount: int) -> str:
    return f"{amount // 100_000}.{amount % 100_000:05d}"


def _ticked(values: Sequence[str]) -> str:
    return ",".join(f"`{value}" for value in values)


# The kind of channel: its bill of a day, and what the file is.
BILLS: dict[str, tuple[Callable[[ChannelTerms, Sequence[Movement], date, int], bytes], str]] = {
    "alipay": (alipay, "application/zip"),
    "wechat_pay": (wechat_pay, "application/gzip"),
}
