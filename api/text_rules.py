"""What a text from outside may hold: no invisible characters, no card numbers, and names in one normal form.

A card number is 13 to 19 digits that pass the Luhn check, also written with spaces or dashes between them and in any
script's digits. One in ten numbers of that length passes by chance, so callers do well to put a letter between the
parts of a long numeric reference. UUIDs, IBANs and hexadecimal ids of 32 digits and more are not card numbers.
"""

import re
import unicodedata
from itertools import accumulate

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

_UUID_OR_LONG_HEX = re.compile(
    r"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{32,})(?![0-9A-Za-z])"
)
_IBAN_START = re.compile(r"(?<![0-9A-Za-z])[A-Za-z]{2}[0-9]{2}(?=[ -]?[0-9A-Za-z])")
# The IBAN registry (SWIFT, release 99): how long the IBANs of a country are.
_IBANS = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29"
    " ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20"
    " LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29"
    " PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20"
    " YE30"
)
_IBAN_LENGTHS = {entry[:2]: int(entry[2:]) for entry in _IBANS.split()}
_CARD_LENGTHS = range(13, 20)
_SHORTEST_CARD = 13

_SENSITIVE_NAMES = frozenset(
    {"pin", "cardpin", "pinblock", "pinnumber", "csc", "cav2", "securitycode", "cardsecuritycode", "trackdata"}
    | {"magstripe", "magneticstripe", "cardverificationcode", "cardverificationvalue"}
)
_SENSITIVE_PARTS = re.compile(r"cvv|cvc|track[123]")
_NOT_ALPHANUMERIC = re.compile(r"[^0-9a-z]+")


def holds_forbidden_character(text: str) -> bool:
    """Whether a control, format, surrogate or line-separating character stands in the text."""
    return not text.isprintable() and _FORBIDDEN.search(text) is not None


def is_sensitive_name(name: str) -> bool:
    """Whether a field of this name asks for a security code, a PIN or track data, in any spelling of the name."""
    bare = _NOT_ALPHANUMERIC.sub("", unicodedata.normalize("NFKC", name).casefold())
    return bare in _SENSITIVE_NAMES or _SENSITIVE_PARTS.search(bare) is not None


def holds_card_number(text: str) -> bool:
    """Whether 13 to 19 digits that pass the Luhn check stand in the text as one number or as neighbouring groups."""
    if len(text) < _SHORTEST_CARD and text.isascii():
        return False
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    if not _LONG_NUMBER.search(text):
        return False
    text = _UUID_OR_LONG_HEX.sub("x", text)
    return _some_number_passes_luhn(text) and _some_number_passes_luhn(_without_ibans(text))


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


def _some_number_passes_luhn(text: str) -> bool:
    return any(_groups_pass_luhn(number.group()) for number in _LONG_NUMBER.finditer(text))


def _groups_pass_luhn(number: str) -> bool:
    """Whether some neighbouring groups of digits make a card number; linear in the length of `number`."""
    digits = [int(character) for character in number if character.isdecimal()]
    doubled = [2 * digit if digit < 5 else 2 * digit - 9 for digit in digits]
    # Sums up to each place, once with the digits at even places doubled and once with those at odd places.
    sums = tuple(
        list(accumulate((doubled[at] if at % 2 == parity else digits[at] for at in range(len(digits))), initial=0))
        for parity in (0, 1)
    )
    ends = list(accumulate(len(group) for group in _GROUP.findall(number)))
    starts = [0, *ends[:-1]]
    for first, start in enumerate(starts):
        for end in ends[first : first + _CARD_LENGTHS.stop]:
            if end - start >= _CARD_LENGTHS.stop:
                break
            # Luhn doubles every second digit from the last but one; a run of zeros is no card.
            total = sums[end % 2][end] - sums[end % 2][start]
            if end - start in _CARD_LENGTHS and total > 0 and total % 10 == 0:
                return True
    return False


def _without_ibans(text: str) -> str:
    """The text with each IBAN, compact or in groups, replaced by a letter."""
    kept = []
    done = 0
    for found in _IBAN_START.finditer(text):
        end = _end_of_iban(text, found.start()) if found.start() >= done else None
        if end is not None:
            kept += [text[done : found.start()], "x"]
            done = end
    return "".join([*kept, text[done:]])


def _end_of_iban(text: str, start: int) -> int | None:
    """Where the IBAN that begins here ends: by its country's length and its check digits (ISO 7064 mod 97-10)."""
    length = _IBAN_LENGTHS.get(text[start : start + 2].upper())
    if length is None:
        return None
    compact = ""
    end = start
    while end < len(text) and len(compact) < length:
        character = text[end]
        if character.isascii() and character.isalnum():
            compact += character
        elif character not in " -":
            return None
        end += 1
    if len(compact) < length or (end < len(text) and text[end].isalnum()):
        return None
    number = int("".join(str(int(character, 36)) for character in compact[4:] + compact[:4]))
    return end if number % 97 == 1 else None
