"""Files of camt.053 of our own making, put together from their parts."""


def amount(text: str, currency: str = "EUR") -> str:
    return f'<Amt Ccy="{currency}">{text}</Amt>'


def balance(code: str, text: str, sense: str = "CRDT", currency: str = "EUR") -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{amount(text, currency)}"
        f"<CdtDbtInd>{sense}</CdtDbtInd><Dt><Dt>2026-11-20</Dt></Dt></Bal>"
    )


def entry(
    text: str,
    sense: str = "CRDT",
    *,
    currency: str = "EUR",
    status: str = "<Sts><Cd>BOOK</Cd></Sts>",
    days: str = "<BookgDt><Dt>2026-11-19</Dt></BookgDt><ValDt><Dt>2026-11-20</Dt></ValDt>",
    more: str = "",
    details: str = "",
) -> str:
    return f"<Ntry>{amount(text, currency)}<CdtDbtInd>{sense}</CdtDbtInd>{status}{days}{more}{details}</Ntry>"


def batch(*details: str, head: str = "") -> str:
    return f"<NtryDtls>{head}{''.join(f'<TxDtls>{one}</TxDtls>' for one in details)}</NtryDtls>"


def statement(*parts: str, name: str = "S-1", account: str = "<IBAN>DE02120300000000202051</IBAN>") -> str:
    return f"<Stmt><Id>{name}</Id><Acct><Id>{account}</Id><Ccy>EUR</Ccy></Acct>{''.join(parts)}</Stmt>"


def document(*statements: str, version: str = "08", prologue: str = '<?xml version="1.0" encoding="UTF-8"?>') -> str:
    return (
        f'{prologue}<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}"><BkToCstmrStmt>'
        f"<GrpHdr><MsgId>M-1</MsgId></GrpHdr>{''.join(statements)}</BkToCstmrStmt></Document>"
    )


def transaction(text: str, name: str = "", *, currency: str = "EUR", more: str = "") -> str:
    return f"<Refs><EndToEndId>{name or text}</EndToEndId></Refs>{amount(text, currency)}{more}"


def charges(text: str, included: str = "true", currency: str = "EUR") -> str:
    return (
        f"<Chrgs><Rcrd>{amount(text, currency)}<CdtDbtInd>DBIT</CdtDbtInd>"
        f"<ChrgInclInd>{included}</ChrgInclInd></Rcrd></Chrgs>"
    )
