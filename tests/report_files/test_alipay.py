"""Alipay's merchant bill is read truly: GBK in a zip or bare, refunds by request number, shares, foot and summary."""

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given

from commands.channels.simulator.bills import alipay, bounds
from commands.channels.simulator.operations import Movement
from commands.policies.channels import terms_of
from commands.report_files.alipay import read
from ledger.report_row import Control, FileRefused
from tests.report_files.bytes_gone_wrong import damaged, survives
from tests.report_files.disguises import zipped_in_gbk
from tests.report_files.reading import Found, read_all
from tests.report_files.zips import nameless, zipped

CHINA = timezone(timedelta(hours=8))
COLUMNS = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,"
    "商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,"
    "卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
)
SUMMARY_COLUMNS = (
    "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,支付宝优惠（元）,商家优惠（元）,"
    "卡消费金额（元）,服务费（元）,分润（元）,实收净额（元）"
)
SALE = {
    "支付宝交易号": "2026112122001004720299453898",
    "商户订单号": "pay_1-1",
    "业务类型": "交易",
    "商品名称": "green tea",
    "创建时间": "2026-11-21 23:59:58",
    "完成时间": "2026-11-22 00:00:03",
    "对方账户": "*杨(137****2600)",
    "订单金额": "62.00",
    "商家实收": "60.00",
    "商家优惠": "2.00",
    "服务费": "-0.36",
    "分润": "0.00",
}
REFUND = SALE | {
    "业务类型": "退款",
    "订单金额": "-25.00",
    "商家实收": "-25.00",
    "商家优惠": "0.00",
    "退款批次号/请求号": "ref_1-1",
    "服务费": "0.15",
}
NOUGHTS = dict.fromkeys(("支付宝优惠", "卡消费金额", "支付宝红包", "集分宝", "券核销金额", "商家红包消费金额"), "0.00")
AMOUNTS = ("订单金额", "商家实收", "支付宝优惠", "商家优惠", "卡消费金额", "服务费", "分润")


def named(columns: str) -> list[str]:
    return [name.removesuffix("（元）").removesuffix("(元)") for name in columns.split(",")]


def total(rows: list[dict[str, str]], column: str) -> str:
    return f"{sum((Decimal(row.get(column) or 0) for row in rows), Decimal('0.00'))}"


def detail(rows: list[dict[str, str]], columns: str = COLUMNS, foot: str | None = None) -> str:
    """As the platform writes it: identifiers padded with tabs, amounts bare."""
    lines = [
        "#支付宝业务明细查询",
        "#账号：[20885212319120680156]",
        "#起始日期：[2026年11月21日 00:00:00]   终止日期：[2026年11月22日 00:00:00]",
        f"#{'-' * 41}业务明细列表{'-' * 40}",
        columns,
        *(",".join(row.get(name, "") + ("" if name in AMOUNTS else "\t") for name in named(columns)) for row in rows),
        f"#{'-' * 41}业务明细列表结束{'-' * 36}",
        foot_of(rows) if foot is None else foot,
        "#导出时间：[2026年11月22日 05:46:49]",
    ]
    return "\r\n".join([*lines, ""])


def foot_of(rows: list[dict[str, str]]) -> str:
    sums = []
    for word, more in (("交易", ""), ("退款", "退款")):
        found = [row for row in rows if row["业务类型"] == word]
        received, given = total(found, "商家实收"), total(found, "商家优惠")
        sums.append(f"#{word}合计：{len(found)}笔，商家实收{more}共{received}元，商家优惠{more}共{given}元")
    return "\r\n".join(sums)


def summary(*rows: dict[str, str]) -> str:
    lines = [
        "#支付宝业务汇总查询",
        f"#{'-' * 41}业务汇总列表{'-' * 40}",
        SUMMARY_COLUMNS,
        *(",".join(row.get(name, "") + "\t" for name in named(SUMMARY_COLUMNS)) for row in rows),
        f"#{'-' * 40}业务汇总列表结束{'-' * 37}",
    ]
    return "\r\n".join([*lines, ""])


def summed(rows: list[dict[str, str]], store: str = "合计") -> dict[str, str]:
    counts = {"交易订单总笔数": "交易", "退款订单总笔数": "退款"}
    sums = {column: total(rows, column) for column in AMOUNTS}
    net = str(sum(Decimal(sums[column]) for column in ("商家实收", "服务费", "分润")))
    counted = {column: str(sum(row["业务类型"] == word for row in rows)) for column, word in counts.items()}
    return {"门店编号": store, "实收净额": net} | counted | sums


def bill(rows: list[dict[str, str]]) -> bytes:
    return zipped(
        {
            "2088_20261121_业务明细.csv": detail(rows).encode("gbk"),
            "2088_20261121_业务明细(汇总).csv": summary(summed(rows)).encode("gbk"),
        }
    )


def sound(content: bytes | str) -> Found:
    found = read_all(read, content)
    assert found.controls
    assert not found.broken, found.controls
    assert not found.rejected, found.rejected
    return found


def test_a_sale_and_its_refund_say_what_is_owed_and_by_which_names() -> None:
    sale, refund = sound(bill([SALE, REFUND])).rows
    trade = "2026112122001004720299453898"
    assert (sale.kind, sale.external_id, sale.our_reference, sale.about) == ("sale", trade, "pay_1-1", "")
    assert (sale.gross, sale.fee, sale.net, sale.currency) == (6_000, 36, 5_964, "CNY")
    assert (sale.line, sale.account, sale.text) == (6, "20885212319120680156", "green tea")
    assert sale.at == datetime(2026, 11, 22, 0, 0, 3, tzinfo=CHINA)
    # The platform numbers trades only: two refunds of one sale are told apart by our numbers.
    assert (refund.kind, refund.external_id, refund.our_reference) == ("refund", f"{trade}/ref_1-1", "ref_1-1")
    assert (refund.about, refund.gross, refund.fee, refund.net) == (trade, -2_500, -15, -2_485)


def test_a_share_for_others_is_a_row_of_its_own() -> None:
    sale, share = sound(bill([SALE | {"分润": "-1.50"}])).rows
    assert (sale.kind, sale.gross, sale.fee, sale.net) == ("sale", 6_000, 36, 5_964)
    assert (share.kind, share.gross, share.fee, share.net, share.text) == ("adjustment", -150, 0, -150, "分润")
    assert (share.external_id, share.about) == (sale.external_id, sale.external_id)


def test_another_kind_of_business_is_unknown_and_keeps_its_word() -> None:
    (row,) = sound(bill([SALE | {"业务类型": "转账", "商家实收": "-3.00", "服务费": "0.00"}])).rows
    assert (row.kind, row.gross, row.text) == ("unknown", -300, "转账; green tea")


HALF_WIDTH = COLUMNS.replace("（", "(").replace("）", ")")
TURNED = ",".join(reversed([*COLUMNS.split(","), "新列"]))


@pytest.mark.parametrize(
    "content",
    [
        bill([SALE]),
        zipped_in_gbk(detail([SALE]).encode("gbk"), "2088_20261121_业务明细.csv"),
        zipped({"b": summary(summed([SALE])).encode("gbk"), "a": detail([SALE]).encode("gbk")}),
        detail([SALE]).encode("gbk"),
        b"\xef\xbb\xbf" + detail([SALE]).encode(),
        detail([SALE]).replace("\r\n", "\n").encode("utf-16"),
        detail([SALE], HALF_WIDTH).encode("gbk"),
        detail([SALE], COLUMNS.replace("（元）", "")).encode("gbk"),
        detail([SALE], TURNED).encode("gbk"),
        detail([SALE]).replace("\t", "").encode("gbk"),
        detail([SALE]).replace(SALE["商家实收"] + ",", '"60.00",').encode("gbk"),
    ],
    ids=[
        "zip", "detail alone in a zip", "names say nothing", "bare", "mark", "utf-16", "half-width", "no unit",
        "other order, more columns", "no tabs", "quoted",
    ],
)  # fmt: skip
def test_however_it_is_packed_written_and_ordered(content: bytes) -> None:
    (row,) = sound(content).rows
    assert (row.gross, row.fee, row.our_reference, row.text) == (6_000, 36, "pay_1-1", "green tea")
    assert row.account == "20885212319120680156"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"商品名称": "tea, green"}, "tea, green"),
        ({"备注": "booked 2026-11-22 10:30:00,no, 7"}, "green tea; booked 2026-11-22 10:30:00,no, 7"),
        ({"商品名称": "a,b", "备注": "c,d"}, "a,b; c,d"),
        ({"对方账户": "Li, Wei", "券名称": "满5,减1"}, "green tea"),
        ({"商品名称": '5" "tea"'}, '5" "tea"'),
        ({"商品名称": '"tea'}, '"tea'),
    ],
)
def test_a_comma_or_a_quotation_mark_in_a_bare_text_is_part_of_it(change: dict[str, str], text: str) -> None:
    row, refund = sound(detail([SALE | NOUGHTS | change, REFUND | NOUGHTS | change])).rows
    assert (row.text, row.gross, row.fee, row.our_reference) == (text, 6_000, 36, "pay_1-1")
    assert (refund.gross, refund.fee, refund.our_reference) == (-2_500, -15, "ref_1-1")


def test_a_comma_in_a_quoted_name_is_part_of_it() -> None:
    (row,) = sound(detail([SALE]).replace("green tea", '"tea, green"').replace('green"\t', 'green"')).rows
    assert row.text == "tea, green"


@pytest.mark.parametrize(
    "change",
    [
        {"商品名称": "a,b,c,d,e"},
        # The payer may be called `…,62.00`, and each amount be the one behind it: that can be read as well.
        {"券名称": "5.00,off"},
    ],
    ids=["too many", "several readings"],
)
def test_a_row_whose_commas_cannot_be_placed_is_rejected(change: dict[str, str]) -> None:
    found = read_all(read, detail([SALE | NOUGHTS | change, REFUND]))
    assert [row.kind for row in found.rows] == ["refund"]
    (rejected,) = found.rejected
    assert (rejected.line, rejected.reason[-22:]) == (6, "cells under 25 columns")
    # What it came to is not known, and so the totals cannot be shown to hold.
    assert found.broken == ["count (交易合计)", "商家实收 (交易合计)", "商家优惠 (交易合计)"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"商家实收": "60,00"}, "it has 26 cells under 25 columns"),
        ({"商家实收": "6O.00"}, "“6O.00” is no amount"),
        ({"商家实收": ""}, "“” is no amount"),
        ({"服务费": "-0.365"}, "“-0.365” has more decimals than CNY"),
        ({"分润": "?"}, "“?” is no amount"),
        ({"完成时间": "22.11.2026"}, "“22.11.2026” is no time"),
        ({"支付宝交易号": ""}, "支付宝交易号 is empty"),
        ({"支付宝交易号": "2.02611E+27"}, "“2.02611E+27” in 支付宝交易号 was rounded by a spreadsheet"),
        ({"服务费": "0.36"}, "the signs of 商家实收 and 服务费 do not fit “交易”"),
        ({"商家实收": "-60.00"}, "the signs of 商家实收 and 服务费 do not fit “交易”"),
        ({"业务类型": "退款"}, "the signs of 商家实收 and 服务费 do not fit “退款”"),
    ],
)
def test_a_row_that_cannot_be_read_is_rejected_alone(change: dict[str, str], reason: str) -> None:
    found = read_all(read, detail([SALE, SALE | change, REFUND], foot=""))
    assert [row.kind for row in found.rows] == ["sale", "refund"]
    assert [(one.line, one.reason) for one in found.rejected] == [(7, reason)]


def test_a_rejected_row_leaves_the_totals_sound_where_its_amounts_can_be_read() -> None:
    found = read_all(read, bill([SALE | {"完成时间": "soon"}, REFUND]))
    assert len(found.rejected) == 1
    assert not found.broken


@pytest.mark.parametrize(
    ("foot", "broken"),
    [
        ("#交易合计：2笔，商家实收共60.00元，商家优惠共2.00元", ["count (交易合计)"]),
        ("#交易合计：1笔，商家实收共60.01元，商家优惠共2.00元", ["商家实收 (交易合计)"]),
        ("#交易合计：1笔，商家实收共60.00元，商家优惠共0.00元", ["商家优惠 (交易合计)"]),
        ("#退款合计：1笔，商家实收退款共25.00元，商家优惠退款共0.00元", ["商家实收 (退款合计)"]),
        ("#退款合计:1笔,商家实收共-25.00元", []),
        ("#交易合计：1笔，交易金额共62.00元，优惠金额共2.00元", []),
        ("#退款合计：1笔，交易退款金额共-25.01元，优惠退款金额共0.00元", ["订单金额 (退款合计)"]),
    ],
)
def test_the_foot_is_compared_with_the_rows(foot: str, broken: list[str]) -> None:
    found = read_all(read, detail([SALE, REFUND], foot=foot))
    assert found.broken == broken
    assert len(found.controls) > 1


def test_the_foot_says_where_it_stands_and_what_it_states() -> None:
    found = read_all(read, detail([SALE], foot="#交易合计：1笔，商家实收共61.00元，商家优惠共2.00元"))
    assert found.controls[:2] == [
        Control("count (交易合计)", 8, 1, 1),
        Control("商家实收 (交易合计)", 8, 6_100, 6_000, "CNY"),
    ]


@pytest.mark.parametrize("column", ["交易订单总笔数", "退款订单总笔数", *AMOUNTS, "实收净额"])
def test_each_column_of_the_summary_is_compared_with_the_detail(column: str) -> None:
    wrong = summed([SALE, REFUND]) | {column: "99"}
    content = zipped({"a": detail([SALE, REFUND]).encode("gbk"), "b": summary(wrong).encode("gbk")})
    assert read_all(read, content).broken == [f"{column} (summary)"]


def test_a_summary_of_stores_is_added_up_and_its_line_of_sums_is_not_added_again() -> None:
    stores = [summed([SALE], "A1"), summed([REFUND], "A2")]
    for lines in (stores, [*stores, summed([SALE, REFUND])]):
        content = {"a": detail([SALE, REFUND]).encode("gbk"), "b": summary(*lines).encode("gbk")}
        assert len(sound(zipped(content)).controls) == 16


def test_a_bill_in_pieces_is_one_bill() -> None:
    pieces = {"1": detail([SALE]).encode("gbk"), "2": detail([REFUND]).encode("gbk")}
    found = sound(zipped(pieces | {"sum": summary(summed([SALE, REFUND])).encode("gbk")}))
    assert [row.kind for row in found.rows] == ["sale", "refund"]


def test_no_card_number_is_kept_and_ids_keep_their_digits() -> None:
    card = "4111111111111111"
    (row,) = sound(bill([SALE | {"备注": f"by {card}", "商户订单号": card}])).rows
    assert (row.text, row.our_reference, row.raw["备注"]) == ("green tea; by …1111", card, "by …1111")


WHOLE = detail([SALE])


def with_summary(text: str) -> bytes:
    return zipped({"a": WHOLE.encode("gbk"), "b": text.encode("gbk")})


ACCOUNT_BILL = "#支付宝账务明细查询\n账务流水号,业务流水号,商户订单号\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it names no columns"),
        ("#支付宝业务明细查询\n".encode(), "it names no columns"),
        (WHOLE.partition("#-----------------------------------------业务明细列表结束")[0].encode(), "it breaks off"),
        (detail([SALE], COLUMNS.replace("服务费", "费")).encode(), "the column “服务费” is missing"),
        (detail([SALE], COLUMNS.replace("备注", "分润")).encode(), "the column “分润” is there twice"),
        (ACCOUNT_BILL.encode("gbk"), "it is the bill of the account"),
        (zipped({"b": summary(summed([SALE])).encode("gbk")}), "it holds a summary and no detail"),
        (zipped({}), "the zip has 0 members"),
        (nameless(zipped({"a": WHOLE.encode()})), "it cannot be unpacked"),
        (bill([SALE])[:-40], "the zip cannot be opened"),
        (bill([SALE])[:200] + bytes(30) + bill([SALE])[230:], "it cannot be unpacked"),
        (detail([SALE], foot="#交易合计：1笔，商家实收共6.0.0元").encode(), "a total cannot be read: “6.0.0” is"),
        (detail([SALE], foot="\n".join(["#交易合计：1笔"] * 101)).encode(), "its foot does not end"),
        (with_summary(summary(summed([SALE]) | {"服务费": "?"})), "a total cannot be read"),
        (with_summary(summary(summed([SALE])).replace("1\t", "1,")), "the summary cannot be read"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_whole_bill_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(FileRefused, match="^" + reason):
        read_all(read, content)


def test_amounts_beyond_what_can_be_counted_are_found() -> None:
    most = "92233720368547758.07"
    found = read_all(read, detail([SALE | {"商家实收": most}, REFUND | {"商家实收": f"-{most}", "服务费": "-0.01"}]))
    assert [one.reason for one in found.rejected] == ["its amounts add up to more than can be counted"]
    with pytest.raises(FileRefused, match="add up to more"):
        read_all(read, detail([SALE | {"商家实收": most}] * 2, foot="#交易合计：2笔，商家实收共60.00元"))


def test_what_stands_behind_the_end_is_no_row() -> None:
    found = read_all(read, WHOLE + WHOLE.split("\r\n")[5] + "\r\n")
    assert [one.reason for one in found.rejected] == ["it stands behind the end of the list"]
    assert len(found.rows) == 1


def test_the_simulator_s_bill_is_read_as_what_moved() -> None:
    day = date(2026, 11, 21)
    noon = bounds(day)[0] + 12 * 3_600_000
    moved = (
        Movement("charge", "pay_1-1", "pay_1-1", "ch_1", 6_000, 36, "CNY", noon),
        Movement("charge", "pay_2-1", "pay_2-1", "ch_2", 1, 0, "CNY", noon + 1_000),
        Movement("refund", "ref_1-1", "pay_1-1", "re_1", -2_500, 0, "CNY", noon + 2_000),
    )
    terms = terms_of("alipay")
    assert terms is not None
    rows = sound(alipay(terms, moved, day, noon)).rows
    assert [(row.our_reference, row.gross, row.fee) for row in rows] == [(one.id, one.gross, one.fee) for one in moved]
    assert [row.kind for row in rows] == ["sale", "sale", "refund"]
    assert [row.at for row in rows] == [datetime(2026, 11, 21, 12, 0, second, tzinfo=CHINA) for second in range(3)]


@given(damaged([detail([SALE, REFUND]).encode("gbk"), detail([SALE]).encode(), bill([SALE, REFUND])]))
def test_whatever_happens_to_its_bytes_it_is_read_or_refused(content: bytes) -> None:
    survives(read, content)
