"""The table of events: what each of them debits and credits, by number of account, as it was agreed.

A row reads `debits | credits`, each of them `account symbol, …`. G gross, M our fee, T the tax on it, F the channel's
fee and Fa what it kept, R refund, C chargeback, P payout, S what a batch pays, W a wallet's part; the others are told
with the cases.
"""

EVENT_TABLE: dict[str, str] = {
    "A1": "|",
    "A2": "9010 A | 9019 A",
    "A3": "9010 A | 9019 A",
    "A4": "9019 A | 9010 A",
    "A5": "1110 G, 2110 M, 2110 T | 2110 G, 4010 M, 2410 T",
    "A6": "5010 F | 1110 F",
    "A6b": "5010 F | 2510 F",
    "A7": "1120 G-Fa, 5010 Fa-F | 1110 G-F",
    "A8": "5010 rf | 1120 rf",
    "A9": "1130 r | 1120 r",
    "A10": "1020 S-b, 5060 b | 1120 S",
    "A11": "2110 N, 2110 r | 2120 N, 2130 r",
    "A12": "1010 x | 1020 x",
    "A13": "1210 M, 1210 T | 4010 M, 2410 T",
    "A14": "1110 G-Disc, 5070 Disc | 2110 G",
    "A15": "2110 x | 2110 x",
    "B1": "2120 R | 2210 R",
    "B2": "2120 R-x, 1210 x | 2210 R",
    "B3": "2210 R | 1110 R",
    "B4": "1110 R, 5010 rf | 1120 R, 1120 rf",
    "B5": "2210 R | 2120 R",
    "B6": "1110 R | 2210 R",
    "B7": "2210 R | 1020 R",
    "B8": "4010 Mr | 2120 Mr",
    "B9": "1110 Fr | 5010 Fr",
    "B10": "2110 G, 4010 M, 2410 T, 1110 F | 1110 G, 2110 M, 2110 T, 5010 F",
    "C1": "|",
    "C2": "1230 C, 5030 cf, 2120 C, 2120 df | 1110 C, 1110 cf, 2140 C, 4020 df",
    "C2r": "1110 C, 1110 cf | 1120 C, 1120 cf",
    "C3": "1110 C, 2140 C | 1230 C, 2120 C",
    "C4": "2140 C | 1230 C",
    "C5": "5020 C, 2140 C | 1230 C, 2120 C",
    "C6": "1230 C, 2120 C | 1110 C, 2140 C",
    "C7": "5050 x | 1210 x",
    "D1": "2120 P, 2120 pf | 2220 P, 4010 pf",
    "D2": "2220 P | 1020 P",
    "D3": "2220 P, 4010 pf | 2120 P, 2120 pf",
    "D4": "1020 P, 2220 P | 2220 P, 2120 P",
    "E1": "1020 x | 2235 x",
    "E2": "1140 x | 1020 x",
    "E3": "2235 P, 2235 pf | 2230 P, 4010 pf",
    "E4": "2230 P, 5010 rf | 1140 P, 1140 rf",
    "E5": "2230 P, 4010 pf | 2235 P, 2235 pf",
    "E6": "1140 P, 2230 P | 2230 P, 2235 P",
    "F1": "1110 W | 2010 W",
    "F2": "2010 x | 2020 x",
    "F3": "2010 W, 2110 M | 2110 W, 4010 M",
    "F4": "2020 x, 2020 U | 2110 x, 2010 U",
    "F5": "2120 R | 2010 R",
    "F6": "2010 W | 2220 W",
    "F7": "2010 x | 2010 x",
    "F8": "2020 W, 1110 U | 2110 W, 2110 U",
    "G1": "1220 G, 2110 M | 2110 G, 4010 M",
    "G2": "1221 i | 4040 i",
    "G3": "1110 x | 1221 i, 1220 x-i",
    "G4": "2120 R | 1220 U, 2010 R-U",
    "G5": "5050 x, 1229 x | 1229 x, 1220 x",
    "H1": "|",
    "H2": "1310 q, 1410 G | 1410 q, 2110 G",
    "H3": "1110 X, 1410 q | 1410 X, 1310 q",
    "H4": "5040 d | 1410 d",
    "H5": "1310 q | 2310 q",
    "H6": "5010 n | 1310 n",
    "I1": "1110 Pe, 1410 Um | 1410 Pe, 2110 Um",
    "I2": "1120 Us, 1410 Pe | 1410 Us, 1110 Pe",
    "I3": "1410 d | 4030 d",
    "J1": "1110 G | 2310 G",
    "J2": "2310 G, 2110 M | 2110 G, 4010 M",
    "J3": "2310 G | 2210 G",
    "J4": "1110 G | 2310 G",
    "J5": "1020 x | 2910 x",
    "J6": "1910 x | 1020 x",
    "K1": "1110 G | 2310 G",
    "K2": "2110 G, 4010 M, 2410 T, 1110 F | 1110 G, 2110 M, 2110 T, 5010 F",
    "K3": "2110 d | 1110 d",
    "K4": "5080 t | 1120 t",
    "K5": "5090 t | 1110 t",
    "K6": "1120 G-Fa, 1910 Fa-F | 1110 G-F",
}

# Rows that no event posts.
ELSEWHERE: dict[str, str] = {
    "J7": "the core's reversal of any entry, which has its own tests",
    "K7": "a row or a file that comes twice is a break, and moves nothing",
}

_NUMBERED = {"A": 15, "B": 10, "C": 7, "D": 4, "E": 6, "F": 8, "G": 5, "H": 6, "I": 3, "J": 7, "K": 7}
ALL_ROWS: tuple[str, ...] = (
    *(f"{letter}{number}" for letter, last in _NUMBERED.items() for number in range(1, last + 1)),
    "A6b",
    "C2r",
)


def postings_of_row(row: str, symbols: dict[str, int]) -> list[tuple[str, str, int]]:
    """Account number, side and amount of each leg, with the symbols replaced; legs of 0 are left out."""
    legs: list[tuple[str, str, int]] = []
    for side, half in zip("DC", EVENT_TABLE[row].split("|"), strict=True):
        for leg in filter(None, (part.strip() for part in half.split(","))):
            account, expression = leg.split()
            amount = _value(expression, symbols)
            if amount:
                legs.append((account, side, amount))
    return legs


def _value(expression: str, symbols: dict[str, int]) -> int:
    first, *others = expression.split("-")
    return symbols[first] - sum(symbols[other] for other in others)
