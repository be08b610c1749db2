"""Bills: the files of wallet platforms to the letter, and that they sum up to what moved."""

import csv
import gzip
import io
import zipfile
from datetime import date

import httpx2
import pytest
from msgspec import structs

from commands.channels.channel import Charged, Refunded
from commands.channels.requests import Charge, RefundCharge
from commands.channels.simulator.bills import alipay, bounds, wechat_pay
from commands.channels.simulator.operations import Movement
from commands.policies.channels import ChannelTerms, terms_of
from tests.channels.simulator_process import SimulatorProcess

DAY = date(2026, 11, 21)
NOON_MS = bounds(DAY)[0] + 12 * 3_600_000
MOVED = (
    Movement("charge", "pay_1-1", "pay_1-1", "ch_1", 6_000, 36, "CNY", NOON_MS),
    Movement("charge", "pay_2-1", "pay_2-1", "ch_2", 1, 0, "CNY", NOON_MS + 1_000),
    Movement("refund", "ref_1-1", "pay_1-1", "re_1", -2_500, 0, "CNY", NOON_MS + 2_000),
)


def terms(name: str) -> ChannelTerms:
    found = terms_of(name)
    assert found is not None
    return found


def test_an_alipay_bill_is_two_files_in_gbk() -> None:
    with zipfile.ZipFile(io.BytesIO(alipay(terms("alipay"), MOVED, DAY, NOON_MS)), metadata_encoding="gbk") as bill:
        assert bill.testzip() is None
        names = bill.namelist()
        assert names == [f"20210000000000010156_20261121_业务明细{more}.csv" for more in ("", "(汇总)")]
        listed, summed = (bill.read(name).decode("gbk").split("\r\n") for name in names)
    assert listed[:3] == [
        "#支付宝业务明细查询",
        "#账号：[20210000000000010156]",
        "#起始日期：[2026年11月21日 00:00:00]   终止日期：[2026年11月22日 00:00:00]",
    ]
    assert "业务明细列表---" in listed[3]
    assert (len(listed[4].split(",")), listed[-1]) == (25, "")
    rows = [dict(zip(listed[4].split(","), line.split(","), strict=True)) for line in listed[5:8]]
    assert [(row["业务类型"], row["订单金额（元）"], row["服务费（元）"]) for row in rows] == [
        ("交易\t", "60.00\t", "-0.36\t"),
        ("交易\t", "0.01\t", "0.00\t"),
        ("退款\t", "-25.00\t", "0.00\t"),
    ]
    assert (rows[2]["商户订单号"], rows[2]["退款批次号/请求号"]) == ("pay_1-1\t", "ref_1-1\t")
    assert rows[0]["完成时间"] == "2026-11-21 12:00:00\t"
    assert listed[9:12] == [
        "#交易合计：2笔，商家实收共60.01元，商家优惠共0.00元",
        "#退款合计：1笔，商家实收共-25.00元，商家优惠共0.00元",
        "#导出时间：[2026年11月21日 12:00:00]",
    ]
    assert [value.strip() for value in summed[5].split(",")][-1] == "34.65"


def test_a_wechat_bill_has_a_backtick_before_each_value_and_sums_at_the_end() -> None:
    lines = gzip.decompress(wechat_pay(terms("wechat_pay"), MOVED, DAY, NOON_MS)).decode().split("\r\n")
    columns = lines[0].split(",")
    rows = [dict(zip(columns, line.removeprefix("`").split(",`"), strict=True)) for line in lines[1:4]]
    assert len(columns) == 27
    facts = [(row["交易状态"], row["应结订单金额"], row["退款金额"], row["手续费"], row["费率"]) for row in rows]
    assert facts == [
        ("SUCCESS", "60.00", "0.00", "0.36000", "0.60%"),
        ("SUCCESS", "0.01", "0.00", "0.00006", "0.60%"),
        ("REFUND", "0.00", "25.00", "0.00000", "0.60%"),
    ]
    assert (rows[2]["商户订单号"], rows[2]["商户退款单号"]) == ("pay_1-1", "ref_1-1")
    assert lines[5:] == ["`3,`60.01,`25.00,`0.00,`0.36006,`60.01,`25.00", ""]


@pytest.mark.parametrize("name", ["alipay", "wechat_pay"])
def test_what_was_paid_today_stands_in_today_s_bill(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    with SimulatorProcess(tmp_path_factory.mktemp(name), channels=[name, "carrier"]) as simulator:
        order = Charge("pay_9-1", 6_000, "CNY", "tok_at_once", "order", "mer", method=name, details={"scene": "qr"})
        (charged,) = simulator.ask(order)
        assert isinstance(charged, Charged)
        back = RefundCharge("ref_9-1", "pay_9-1", charged.channel_reference, 100, "CNY")
        (refunded,) = simulator.ask(structs.replace(back))
        assert isinstance(refunded, Refunded)
        with httpx2.Client(trust_env=False) as client:
            found = []
            # China is ahead of UTC: around its midnight, today is either of the two.
            for day in (charged.at.date(), date.fromordinal(charged.at.date().toordinal() + 1)):
                asked = {"channel": name, "date": day.isoformat()}
                found.append(client.get(f"{simulator.url}/control/bill", params=asked).content)
            none = client.get(f"{simulator.url}/control/bill", params={"channel": "carrier"})
    assert none.status_code == 404
    assert any(b"ref_9-1" in _opened(each) for each in found)


@pytest.mark.parametrize(("name", "kept"), [("alipay", [36, -12, -12, -12]), ("wechat_pay", [36, 0, 0, 0])])
def test_whoever_gives_back_its_fee_gives_all_of_it_with_the_last_part(
    tmp_path_factory: pytest.TempPathFactory, name: str, kept: list[int]
) -> None:
    with SimulatorProcess(tmp_path_factory.mktemp(name), channels=[name]) as simulator:
        order = Charge("pay_8-1", 6_000, "CNY", "tok_at_once", "order", "mer", method=name, details={"scene": "qr"})
        (charged,) = simulator.ask(order)
        assert isinstance(charged, Charged)
        for number in range(1, 4):
            simulator.ask(RefundCharge(f"ref_8-{number}", "pay_8-1", charged.channel_reference, 2_000, "CNY"))
        with httpx2.Client(trust_env=False) as client:
            rows: list[dict[str, str]] = []
            for day in (charged.at.date(), date.fromordinal(charged.at.date().toordinal() + 1)):
                asked = {"channel": name, "date": day.isoformat()}
                file = client.get(f"{simulator.url}/control/settlement", params=asked).text
                rows += csv.DictReader(io.StringIO(file))
    assert [int(row["fee"]) for row in rows] == kept


def _opened(bill: bytes) -> bytes:
    if bill[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(bill)) as files:
            return files.read(files.namelist()[0])
    return gzip.decompress(bill)
