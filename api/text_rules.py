"""What a text from outside may hold: no invisible characters, no card numbers, and names in one normal form.

A card number is 13 to 19 digits that pass the Luhn check, also written with spaces or dashes between them and in any
script's digits. One in ten numbers of that length passes by chance, so callers do well to put a letter between the
parts of a long numeric reference. UUIDs, IBANs and hexadecimal ids of 32 digits and more are not card numbers.
"""

import re
import unicodedata
from itertools import accumulate

from ledger.tokens import may_hold_tokens

# Unicode's control, format, surrogate and line-separating characters (Cc, Cf, Cs, Zl, Zp): NUL and newline, zero-width
# joiners, direction overrides, soft hyphens. One line of text is what every field holds, so newline and tab are out.
_FORBIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u2064\u2066-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]"
)

# Characters that people put between the groups of a number, after NFKC has folded their wide and unbreakable forms.
_BETWEEN = (
    " \u1680\\-\u058a\u05be\u1400\u1806\u2010-\u2015\u2212\u2e17\u2e1a\u2e3a\u2e3b\u2e40\u2e5d\u301c\u3030\u30a0"
    "\U00010ead"
)
_LONG_NUMBER = re.compile(rf"\d(?:[{_BETWEEN}]*\d){{12,}}")
_GROUP = re.compile(r"\d+")
_BETWEEN_CHARACTER = re.compile(rf"[{_BETWEEN}]")

_PHONE_NUMBER = re.compile(r"\+[1-9][0-9]{5,12}")

_UUID_OR_LONG_HEX = re.compile(
    r"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{32,})(?![0-9A-Za-z])"
)
# Looked for at every place, since the text after an IBAN may be another one.
_IBAN = re.compile(r"(?<![0-9A-Za-z])(?=([A-Za-z]{2}[0-9]{2}(?:[ -]?[0-9A-Za-z]){11,30}))")
# How long the IBANs of a country are, from SWIFT's IBAN registry.
_IBANS = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29"
    " ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20"
    " LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29"
    " PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20"
    " YE30"
)
_IBAN_LENGTHS = {entry[:2]: int(entry[2:]) for entry in _IBANS.split()}
_LETTERS_AS_NUMBERS = {ord("A") + at: str(10 + at) for at in range(26)}
_CARD_LENGTHS = range(13, 20)
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)  # Twice a digit, less 9 where that has two digits.

_SENSITIVE_NAMES = frozenset(
    {"pin", "cardpin", "pinblock", "pinnumber", "csc", "cav2", "securitycode", "cardsecuritycode", "trackdata"}
    | {"magstripe", "magneticstripe", "cardverificationcode", "cardverificationvalue"}
)
_SENSITIVE_PARTS = re.compile(r"cvv|cvc|track[123]")
_NOT_ALPHANUMERIC = re.compile(r"[^0-9a-z]+")


def holds_forbidden_character(text: str) -> bool:
    """Whether a control, format, surrogate or line-separating character stands in the text, or what begins a token.

    A sealed value that came from outside would be opened for whoever reads it.
    """
    return (not text.isprintable() and _FORBIDDEN.search(text) is not None) or ("~" in text and may_hold_tokens(text))


def is_sensitive_name(name: str) -> bool:
    """Whether a field of this name asks for a security code, a PIN or track data, in any spelling of the name."""
    bare = _NOT_ALPHANUMERIC.sub("", unicodedata.normalize("NFKC", name).casefold())
    return bare in _SENSITIVE_NAMES or _SENSITIVE_PARTS.search(bare) is not None


def is_phone_number(text: str) -> bool:
    """Whether this is a telephone number as E.164 writes it, with no more digits than any country's has.

    One in ten of 13 digits passes for a card number, though no card has had so few for decades.
    """
    return _PHONE_NUMBER.fullmatch(text) is not None


def holds_card_number(text: str) -> bool:
    """Whether 13 to 19 digits that pass the Luhn check stand in the text as one number or as neighbouring groups."""
    if len(text) < _CARD_LENGTHS.start and text.isascii():
        return False
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    if not _LONG_NUMBER.search(text):
        return False
    text = _UUID_OR_LONG_HEX.sub("x", text)
    return _some_number_is_a_card(text) and _some_number_is_a_card(_without_ibans(text))


def reads_as_card_number(number: str) -> bool:
    """Whether neighbouring groups of digits in `number`, which holds nothing but digits and what separates them, have
    13 to 19 digits together and pass the Luhn check; in linear time."""
    if number.isdecimal():
        if len(number) not in _CARD_LENGTHS:
            return False
        total = sum(map(int, number[-1::-2])) + sum(_DOUBLED[int(digit)] for digit in number[-2::-2])
        return total > 0 and total % 10 == 0  # A run of zeros is no card.
    ends = list(accumulate(map(len, _GROUP.findall(number))))
    digits = [int(character) for character in number if character.isdecimal()]
    # Sums up to each place, with the digits at even places doubled, and with those at odd places doubled.
    sums = [
        list(accumulate((_DOUBLED[digit] if at % 2 == parity else digit for at, digit in enumerate(digits)), initial=0))
        for parity in (0, 1)
    ]
    nearest = 0
    for start in [0, *ends[:-1]]:
        while nearest < len(ends) and ends[nearest] - start < _CARD_LENGTHS.start:
            nearest += 1
        for end in ends[nearest : nearest + len(_CARD_LENGTHS)]:
            # The last digit is not doubled, so those are whose place has the parity of the end.
            total = sums[end % 2][end] - sums[end % 2][start]
            if end - start in _CARD_LENGTHS and total > 0 and total % 10 == 0:
                return True
    return False


def is_plain_character(character: str) -> bool:
    """Whether a character can neither be forbidden nor be a part of a number, whatever stands beside it."""
    folded = unicodedata.normalize("NFKC", character)
    return not (
        holds_forbidden_character(character)
        or any(part.isdecimal() for part in folded)
        or _BETWEEN_CHARACTER.search(folded[0] + folded[-1])
    )


def normal_form(text: str) -> str:
    """The text in NFC, so that names which look the same are the same."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _some_number_is_a_card(text: str) -> bool:
    return any(reads_as_card_number(number.group()) for number in _LONG_NUMBER.finditer(text))


def _without_ibans(text: str) -> str:
    """The text with each IBAN, compact or in groups, replaced by a letter."""
    kept = []
    done = 0
    for found in _IBAN.finditer(text):
        start = found.start()
        length = _length_of_iban(found[1]) if start >= done else 0
        if length and not text[start + length : start + length + 1].isalnum():
            kept += [text[done:start], "x"]
            done = start + length
    return "".join([*kept, text[done:]])


def _length_of_iban(text: str) -> int:
    """How long the IBAN is that begins the text, by its country and its check digits (ISO 7064 mod 97-10), or 0."""
    letters = _IBAN_LENGTHS.get(text[:2].upper(), 0)
    compact = text.replace(" ", "").replace("-", "")[:letters].upper()
    if not letters or len(compact) < letters:
        return 0
    if int((compact[4:] + compact[:4]).translate(_LETTERS_AS_NUMBERS)) % 97 != 1:
        return 0
    return next(end for end in range(letters, len(text) + 1) if sum(map(str.isalnum, text[:end])) == letters)
