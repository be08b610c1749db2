"""WeChat Pay's bills are read truly: each column set, bare names with commas, fees finer than the fen, fund flow."""

import gzip
import io
import os
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given

from commands.channels.simulator.bills import bounds, wechat_pay
from commands.channels.simulator.operations import Movement
from commands.policies.channels import terms_of
from commands.report_files.wechatpay import read
from ledger.report_row import Control, FileRefused, RejectedRow, ReportItem, ReportRow
from tests.report_files.bytes_gone_wrong import damaged, survives

CHINA = timezone(timedelta(hours=8))
ALL = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,"
    "应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,"
    "订单金额,申请退款金额,费率备注"
)
REFUNDS_ONLY = ALL.replace("微信退款单号", "退款申请时间,退款成功时间,微信退款单号")
SALES_ONLY = ALL.replace("微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,", "").replace(
    "申请退款金额,", ""
)
OF_2015 = (
    ALL.replace("特约商户号", "子商户号")
    .replace("应结订单金额,代金券金额", "总金额,企业红包金额")
    .replace("充值券退款金额", "企业红包退款金额")
    .replace(",订单金额,申请退款金额,费率备注", "")
)
SUMS = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
SUMS_OF_2015 = "总交易单数,总交易额,总退款金额,总企业红包退款金额,手续费总金额"
SALE = {
    "交易时间": "2026-11-21 00:00:00",
    "商户号": "1900000001",
    "特约商户号": "0",
    "子商户号": "0",
    "微信订单号": "4200000001",
    "商户订单号": "pay_1-1",
    "交易状态": "SUCCESS",
    "货币种类": "CNY",
    "应结订单金额": "12.00",
    "总金额": "12.00",
    "代金券金额": "0.00",
    "企业红包金额": "0.0",
    "微信退款单号": "0",
    "商户退款单号": "0",
    "退款金额": "0.00",
    "充值券退款金额": "0.00",
    "企业红包退款金额": "0",
    "商品名称": "tea, green",
    "手续费": "0.07200",
    "费率": "0.60%",
    "订单金额": "12.34",
    "申请退款金额": "0.00",
}
REFUND = SALE | {
    "交易状态": "REFUND",
    "应结订单金额": "0.00",
    "总金额": "0.00",
    "微信退款单号": "5030000001",
    "商户退款单号": "ref_1-1",
    "退款金额": "5.00",
    "退款状态": "SUCCESS",
    "退款申请时间": "2026-11-21 23:59:58",
    "退款成功时间": "2026-11-22 00:00:03",
    "手续费": "-0.03000",
    "订单金额": "0.00",
    "申请退款金额": "5.00",
}


MOST = "92233720368547758.07"  # that a column of the database holds


def bill(rows: list[dict[str, str]], columns: str = ALL, sums: str = "") -> str:
    lines = [ticked([row.get(column, "") for column in columns.split(",")]) for row in rows]
    return "\r\n".join([columns, *lines, sums or summed(rows), ""])


def ticked(values: list[str]) -> str:
    return ",".join(f"`{value}" for value in values)


def summed(rows: list[dict[str, str]]) -> str:
    columns = ("应结订单金额", "退款金额", "充值券退款金额", "手续费", "订单金额", "申请退款金额")
    added = [str(sum(Decimal(row.get(column, "0")) for row in rows)) for column in columns]
    return f"{SUMS}\r\n{ticked([str(len(rows)), *added])}"


def items(content: str | bytes) -> list[ReportItem]:
    return list(read(io.BytesIO(content.encode() if isinstance(content, str) else content)))


def rows_of(content: str | bytes) -> list[ReportRow]:
    read_items = items(content)
    assert all(item.holds for item in read_items if isinstance(item, Control)), read_items
    assert not any(isinstance(item, RejectedRow) for item in read_items), read_items
    return [item for item in read_items if isinstance(item, ReportRow)]


def test_a_sale_and_its_refund_say_what_is_owed_and_by_which_names() -> None:
    sale, refund = rows_of(bill([SALE, REFUND]))
    assert (sale.kind, sale.external_id, sale.our_reference, sale.about) == ("sale", "4200000001", "pay_1-1", "")
    assert (sale.gross, sale.fee, sale.net, sale.exact_fee) == (1_200, 7, 1_193, Decimal("7.2"))
    assert (sale.currency, sale.account, sale.text, sale.line) == ("CNY", "1900000001", "tea, green", 2)
    assert sale.at == datetime(2026, 11, 21, tzinfo=CHINA)
    assert (refund.kind, refund.external_id, refund.our_reference) == ("refund", "5030000001", "ref_1-1")
    assert (refund.about, refund.gross, refund.fee, refund.net) == ("4200000001", -500, -3, -497)
    assert refund.exact_fee is None


def test_in_the_set_of_refunds_the_time_is_that_of_the_refund() -> None:
    (refund,) = rows_of(bill([REFUND], REFUNDS_ONLY))
    assert len(REFUNDS_ONLY.split(",")) == 29
    assert refund.at == datetime(2026, 11, 22, 0, 0, 3, tzinfo=CHINA)
    (begun,) = rows_of(bill([REFUND | {"退款成功时间": "", "退款状态": "PROCESSING"}], REFUNDS_ONLY))
    assert begun.at == datetime(2026, 11, 21, 23, 59, 58, tzinfo=CHINA)
    assert (begun.kind, begun.gross, begun.text) == ("refund", -500, "PROCESSING; tea, green")


def test_the_sets_without_refunds_and_of_2015_say_the_same() -> None:
    assert (len(ALL.split(",")), len(SALES_ONLY.split(",")), len(OF_2015.split(","))) == (27, 20, 24)
    (sale,) = rows_of(bill([SALE], SALES_ONLY))
    repeats_its_order = REFUND | {"总金额": "12.00"}
    sums = f"{SUMS_OF_2015}\r\n{ticked(['2', '12.00', '5.00', '0.0', '0.04200'])}"
    old_sale, old_refund = rows_of(bill([SALE, repeats_its_order], OF_2015, sums))
    assert (sale.gross, old_sale.gross, old_refund.gross) == (1_200, 1_200, -500)
    assert (sale.fee, old_sale.fee, old_refund.fee) == (7, 7, -3)


def test_an_order_that_was_revoked_is_taken_back_whole() -> None:
    revoked = REFUND | {"交易状态": "REVOKED", "微信退款单号": "0", "商户退款单号": "0", "退款金额": "12.00"}
    _, row = rows_of(bill([SALE, revoked]))
    assert (row.kind, row.gross, row.our_reference, row.about) == ("reversed", -1_200, "pay_1-1", "4200000001")


@pytest.mark.parametrize(
    ("state", "refund_state", "text"),
    [("REFUND", "FAIL", "REFUND; FAIL"), ("REFUND", "CHANGE", "REFUND; CHANGE"), ("CLOSED", "", "CLOSED")],
)
def test_what_does_not_say_where_the_money_is_is_unknown_and_keeps_its_words(
    state: str, refund_state: str, text: str
) -> None:
    (row,) = rows_of(bill([REFUND | {"交易状态": state, "退款状态": refund_state, "商品名称": ""}]))
    assert (row.kind, row.gross, row.text) == ("unknown", -500, text)


def test_a_service_provider_s_row_is_in_the_account_of_the_merchant_below_it() -> None:
    (row,) = rows_of(bill([SALE | {"特约商户号": "1630000002"}]))
    assert row.account == "1630000002"


@pytest.mark.parametrize(
    "content",
    [
        bill([SALE]).encode(),
        b"\xef\xbb\xbf" + bill([SALE]).encode(),
        gzip.compress(bill([SALE]).encode()),
        bill([SALE]).encode("gbk"),
        bill([SALE]).replace("\r\n", "\n").encode(),
        bill([SALE | {"商品名称": "tea"}]).replace("`", "").encode(),
        ("微信支付账单\r\n\r\n" + bill([SALE])).encode(),
        bill([SALE], ",".join(reversed([*ALL.split(","), "新列"]))).encode(),
    ],
    ids=["plain", "mark", "gzip", "gbk", "lf", "no backticks", "words before it", "other order, more columns"],
)
def test_however_it_is_packed_written_and_ordered(content: bytes) -> None:
    (row,) = rows_of(content)
    assert (row.gross, row.exact_fee, row.our_reference) == (1_200, Decimal("7.2"), "pay_1-1")


def test_fees_are_summed_in_the_finest_unit_that_they_are_told_in() -> None:
    small = SALE | {"手续费": "0.00006"}
    fee = next(item for item in items(bill([small, small])) if isinstance(item, Control) and "手续费" in item.name)
    assert fee == Control("手续费总金额, in 1/1000 of the minor unit", 5, 12, 12, "CNY")
    assert [row.fee for row in rows_of(bill([small, SALE | {"手续费": "0.00500"}]))] == [0, 1]


@pytest.mark.parametrize("wrong", range(7))
def test_each_sum_that_is_not_what_the_rows_come_to_is_found(wrong: int) -> None:
    stated = ["2", "12.00", "5.00", "0.00", "0.04200", "12.34", "5.00"]
    stated[wrong] = {"2": "3", "0.04200": "0.04201"}.get(stated[wrong], "77.00")
    controls = [one for one in items(bill([SALE, REFUND], sums=f"{SUMS}\r\n{ticked(stated)}")) if type(one) is Control]
    assert [place for place, one in enumerate(controls) if not one.holds] == [wrong]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"应结订单金额": "a12"}, "“a12” is no amount"),
        ({"应结订单金额": "12.001"}, "“12.001” has more decimals than CNY"),
        ({"应结订单金额": "-12.00"}, "应结订单金额 and 退款金额 are not below 0 in a bill that can be read"),
        ({"手续费": ""}, "“” is no amount"),
        ({"手续费": "0.00000000001"}, "“0.00000000001” has too many decimals"),
        (
            {"应结订单金额": "92233720368547000.00", "手续费": "-1000.00000"},
            "its amounts add up to more than can be counted",
        ),
        ({"订单金额": "1e3"}, "“1e3” is no amount"),
        ({"货币种类": "RMB"}, "“RMB” is no known currency"),
        ({"交易时间": "21.11.2026"}, "“21.11.2026” is no time"),
        ({"微信订单号": "4.2E+27"}, "“4.2E+27” in 微信订单号 was rounded by a spreadsheet"),
        ({"微信订单号": "0"}, "微信订单号 is empty"),
        ({"退款金额": "1.00"}, "it is a sale and a refund at once"),
        ({"商品名称": "a,`b"}, "it has 28 cells under 27 columns"),
    ],
)
def test_a_row_that_cannot_be_read_is_rejected_alone(change: dict[str, str], reason: str) -> None:
    before, wrong, after, count, *_ = items(bill([SALE, SALE | change, REFUND], sums=summed([SALE, SALE, REFUND])))
    assert isinstance(before, ReportRow)
    assert isinstance(after, ReportRow)
    assert isinstance(wrong, RejectedRow)
    assert (wrong.line, wrong.reason) == (3, reason)
    assert isinstance(count, Control)
    assert count.holds


def test_a_rejected_row_leaves_the_sums_sound_where_its_amounts_can_be_read() -> None:
    lost = SALE | {"交易时间": "soon"}
    assert [item.holds for item in items(bill([lost, REFUND])) if isinstance(item, Control)] == [True] * 7


def test_no_card_number_is_kept_and_ids_keep_their_digits() -> None:
    card = "4111111111111111"
    (row,) = rows_of(bill([SALE | {"商品名称": f"paid by {card}", "商户订单号": card}]))
    assert (row.text, row.our_reference) == ("paid by …1111", card)
    assert row.raw["商品名称"] == "paid by …1111"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "its heading is of no bill of WeChat Pay"),
        ("<xml><return_code>FAIL</return_code></xml>", "its heading is of no bill of WeChat Pay"),
        (bill([SALE]).partition(SUMS)[0], "it breaks off: the sums at its end are missing"),
        (bill([SALE]).partition("`1,")[0], "it breaks off: the sums at its end are not whole"),
        (bill([SALE], sums=f"{SUMS}\r\n`1,`12.00"), "it breaks off: the sums at its end are not whole"),
        (
            bill([SALE], sums=f"{SUMS}\r\n`x,`0,`0,`0,`0,`0,`0"),
            "总交易单数 cannot be read: “x” is no amount",
        ),
        (bill([SALE], ALL.replace("货币种类", "币")), "the column “货币种类” is missing"),
        (bill([SALE], ALL.replace("应结订单金额", "金额")), "the column “应结订单金额” is missing"),
        (bill([SALE], ALL.replace("费率备注", "退款金额")), "the column “退款金额” is there twice"),
    ],
)
def test_a_file_that_is_no_whole_bill_is_refused(content: str, reason: str) -> None:
    with pytest.raises(FileRefused, match="^" + reason):
        items(content)


def test_sums_beyond_what_can_be_counted_and_headings_that_do_not_come_refuse_the_file() -> None:
    with pytest.raises(FileRefused, match="add up to more"):
        items(bill([SALE | {"应结订单金额": MOST}] * 2, sums=summed([SALE, SALE])))
    assert rows_of("words\n" * 19 + bill([SALE]))
    with pytest.raises(FileRefused, match="its heading is of no bill"):
        items("words\n" * 21 + bill([SALE]))


def test_what_stands_behind_the_sums_is_no_row() -> None:
    last = items(bill([SALE]) + ticked(list(SALE.values())) + "\r\n")[1]
    assert isinstance(last, RejectedRow)
    assert (last.line, last.reason) == (5, "it stands behind the sums")


def test_the_simulator_s_bill_is_read_as_what_moved() -> None:
    day = date(2026, 11, 21)
    noon = bounds(day)[0] + 12 * 3_600_000
    moved = (
        Movement("charge", "pay_1-1", "pay_1-1", "ch_1", 6_000, 36, "CNY", noon),
        Movement("charge", "pay_2-1", "pay_2-1", "ch_2", 1, 0, "CNY", noon + 1_000),
        Movement("refund", "ref_1-1", "pay_1-1", "re_1", -2_500, 0, "CNY", noon + 2_000),
    )
    terms = terms_of("wechat_pay")
    assert terms is not None
    rows = rows_of(wechat_pay(terms, moved, day, noon))
    assert [(row.external_id, row.our_reference, row.gross, row.fee) for row in rows] == [
        (one.reference, one.id, one.gross, one.fee) for one in moved
    ]
    assert [row.at for row in rows] == [datetime(2026, 11, 21, 12, 0, second, tzinfo=CHINA) for second in range(3)]


# --- Fund flow --------------------------------------------------------------------------------------------------------

FLOW = (
    "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),"
    "资金变更提交申请人,备注,业务凭证号"
)
FLOW_SUMS = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"
FLOWS = [
    ["2026-11-21 10:00:00", "42001", "191", "交易", "交易", "收入", "12.00", "112.00", "system", "", "pay_1-1"],
    ["2026-11-21 10:00:00", "42001", "192", "交易", "扣除交易手续费", "支出", "0.07", "111.93", "sys", "", "pay_1-1"],
    ["2026-11-21 11:00:00", "50301", "193", "退款", "退款", "支出", "5.00", "106.93", "1900API", "a, b", "ref_1-1"],
    ["2026-11-21 12:00:00", "60001", "194", "提现", "提现", "支出", "100.00", "6.93", "system", "", "0"],
    ["2026-11-21 13:00:00", "60001", "195", "提现退回", "提现", "收入", "100.00", "106.93", "system", "", "0"],
]
FLOW_STATED = "`5,`2,`112.00,`3,`105.07"


def flow_bill(flows: list[list[str]], stated: str = FLOW_STATED, heading: str = FLOW) -> str:
    return "\n".join([heading, *map(ticked, flows), FLOW_SUMS, stated])


def test_a_fund_flow_bill_is_a_statement_with_withdrawals() -> None:
    rows = rows_of(flow_bill(FLOWS))
    assert [(row.kind, row.gross, row.external_id, row.about, row.our_reference) for row in rows] == [
        ("credit", 1_200, "191", "42001", "pay_1-1"),
        ("debit", -7, "192", "42001", "pay_1-1"),
        ("debit", -500, "193", "50301", "ref_1-1"),
        ("payout", -10_000, "194", "60001", ""),
        ("payout_returned", 10_000, "195", "60001", ""),
    ]
    assert {(row.statement, row.fee, row.currency) for row in rows} == {("资金流水", 0, "CNY")}
    assert (rows[1].text, rows[2].text) == ("交易; 扣除交易手续费", "退款; a, b")
    assert rows[0].at == datetime(2026, 11, 21, 10, tzinfo=CHINA)


def test_balances_follow_one_another_forwards_or_backwards() -> None:
    assert len(rows_of(flow_bill(FLOWS[::-1]))) == 5
    assert len(rows_of(flow_bill(FLOWS, heading=FLOW.replace("(", "（").replace(")", "）")))) == 5
    wrong = [[*flow] for flow in FLOWS]
    wrong[2][7] = "106.92"
    balance = next(item for item in items(flow_bill(wrong)) if isinstance(item, Control))
    assert balance == Control("running balance", 4, 10_692, 10_693, "CNY")


@pytest.mark.parametrize("wrong", range(5))
def test_each_sum_of_a_fund_flow_bill_is_compared(wrong: int) -> None:
    stated = FLOW_STATED.split(",")
    stated[wrong] = "`7"
    controls = [item for item in items(flow_bill(FLOWS, ",".join(stated))) if isinstance(item, Control)]
    failing = [control.name for control in controls if not control.holds]
    assert failing == [FLOW_SUMS.split(",")[wrong]]


def test_a_flow_that_goes_neither_way_is_rejected_and_the_chain_goes_on_behind_it() -> None:
    wrong = [[*flow] for flow in FLOWS]
    for place, value, reason in ((5, "?", "“0.07” as “?”"), (6, "-0.07", "“-0.07” as “支出”")):
        wrong[1] = [*FLOWS[1]]
        wrong[1][place] = value
        read_items = items(flow_bill(wrong))
        assert isinstance(read_items[1], RejectedRow)
        assert read_items[1].reason == f"{reason} goes neither way"
        balance = next(item for item in read_items if isinstance(item, Control))
        assert balance.holds


# --- All kinds --------------------------------------------------------------------------------------------------------


@given(damaged([bill([SALE, REFUND, SALE]).encode(), flow_bill(FLOWS).encode(), gzip.compress(bill([SALE]).encode())]))
def test_whatever_happens_to_its_bytes_it_is_read_or_refused(content: bytes) -> None:
    survives(read, content)


def samples() -> Iterator[Path]:
    folder = os.environ.get("LEDGER_SAMPLES")
    yield from sorted((Path(folder) / "wechatpay").glob("*")) if folder else ()


@pytest.mark.skipif("LEDGER_SAMPLES" not in os.environ, reason="LEDGER_SAMPLES names no folder of real files")
def test_real_bills_are_read() -> None:
    for sample in samples():
        with sample.open("rb") as file:
            read_items = list(read(file))
        counts = [item for item in read_items if isinstance(item, Control) and item.name == "总交易单数"]
        assert all(count.holds for count in counts)
        assert len(counts) == 1, sample.name
