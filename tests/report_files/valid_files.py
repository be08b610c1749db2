"""Valid files: one small whole file of every format, to be read, disguised and damaged in tests of all readers."""

from dataclasses import dataclass

from tests.report_files import test_adyen, test_alipay, test_channel_csv, test_paypal, test_stripe, test_wechatpay
from tests.report_files.disguises import TABLES

CAMT053 = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">
<BkToCstmrStmt><GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-11-21T18:00:00+01:00</CreDtTm></GrpHdr>
<Stmt><Id>S1</Id><ElctrncSeqNb>7</ElctrncSeqNb><CreDtTm>2026-11-21T18:00:00+01:00</CreDtTm>
<Acct><Id><IBAN>DE02120300000000202051</IBAN></Id><Ccy>EUR</Ccy></Acct>
<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">100.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>\
<Dt><Dt>2026-11-21</Dt></Dt></Bal>
<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">147.50</Amt><CdtDbtInd>CRDT</CdtDbtInd>\
<Dt><Dt>2026-11-21</Dt></Dt></Bal>
<Ntry><Amt Ccy="EUR">60.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-11-21</Dt>\
</BookgDt><ValDt><Dt>2026-11-21</Dt></ValDt><AcctSvcrRef>B1</AcctSvcrRef><NtryDtls><TxDtls><Refs>\
<EndToEndId>po_1</EndToEndId></Refs><RmtInf><Ustrd>TX1 batch 380</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>
<Ntry><Amt Ccy="EUR">12.50</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-11-21</Dt>\
</BookgDt><ValDt><Dt>2026-11-21</Dt></ValDt><AcctSvcrRef>B2</AcctSvcrRef></Ntry>
</Stmt></BkToCstmrStmt></Document>
"""
MT940 = """:20:STARTUMSE
:25:12030000/0000202051
:28C:00007/001
:60F:C261120EUR100,00
:61:2611211121C60,00NTRFpo_1//B1
:86:166?00GUTSCHRIFT?20TX1 batch 380?32CHANNEL
:61:2611211121D12,50NCHGNONREF//B2
:86:808?00ENTGELT?20Fee
:62F:C261121EUR147,50
-
"""
BAI2 = """01,BANK,OURS,261121,1800,1,,,2/
02,OURS,BANK,1,261121,1800,USD,2/
03,202051,USD,010,10000,,,015,14750,,/
16,165,6000,0,B1,po_1,TX1 batch 380
16,698,1250,0,B2,,Fee
49,32000,4/
98,32000,1,6/
99,32000,1,8/
"""


@dataclass(frozen=True)
class ValidFile:
    """A file, and what stands in the one line that may be repeated to make it long."""

    data: bytes
    in_a_row: str


VALID_FILES: dict[str, list[ValidFile]] = {
    "stripe": [
        ValidFile(test_stripe.REPORT.encode(), "txn_5"),
        ValidFile(
            f"{test_stripe.OLDER}t,charge,ch_1,8.00,0.50,7.50,usd,2016-07-14 07:45,,a,8.00,usd,tr_1,\n".encode(), "ch_1"
        ),
    ],
    "adyen": [
        ValidFile(test_adyen.REPORT.encode(), "PSP2"),
        ValidFile(TABLES["a spreadsheet"](test_adyen.REPORT), ""),
    ],
    "paypal": [ValidFile(test_paypal.REPORT.encode(), "TXN3")],
    "alipay": [
        ValidFile(test_alipay.detail([test_alipay.SALE, test_alipay.REFUND]).encode("gbk"), "green tea"),
        ValidFile(test_alipay.bill([test_alipay.SALE]), ""),
    ],
    "wechatpay": [
        ValidFile(test_wechatpay.bill([test_wechatpay.SALE, test_wechatpay.REFUND]).encode(), "4200000001"),
        ValidFile(test_wechatpay.flow_bill(test_wechatpay.FLOWS).encode(), "`191"),
    ],
    "channel_csv": [ValidFile(test_channel_csv.FILE.encode(), "cap_1")],
    "camt053": [ValidFile(CAMT053.encode(), "<AcctSvcrRef>B2")],
    "mt940": [ValidFile(MT940.encode(), ":61:2611211121D")],
    "bai2": [ValidFile(BAI2.encode(), "16,698")],
}
