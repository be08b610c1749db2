"""MT940 details: what banks write in :86:, by key: German ?20 sub-fields, SEPA keys with +, and Dutch /EREF/ words."""

import re

from msgspec import Struct

_FULL_LINE = 65  # characters: the line was broken because it was full, in the middle of a word or not
_SUBFIELDS = re.compile(r"[0-9]{3}([^A-Za-z0-9\s/])(?=[0-9]{2})")  # the three digits are the bank's code of the booking
_PLUS_KEY = re.compile(r"(EREF|KREF|MREF|CRED|DEBT|COAM|OAMT|SVWZ|ABWA|ABWE|IBAN|BIC|PURP|PREF|RREF)\+")
_STROKE_KEY = re.compile(
    r"/(EREF|PREF|MARF|CSID|TRTP|IBAN|BIC|NAME|REMI|BENM|ORDP|CNTP|ULTC|ULTB|ULTD|PURP|RTRN|TRCD|SVCL|ISDT|NRTX|EXCH|"
    r"OCMT|CHGS|ADDR|KREF|INIT|ACCW)/"
)
_NOTHING = {"", "NONREF", "NOTPROVIDED", "NOT PROVIDED"}
_PURPOSE = [*range(20, 30), *range(60, 64)]


class Details(Struct, frozen=True):
    """What is told of one booking; `fields` are as they came, by the bank's own keys."""

    text: str = ""
    end_to_end_id: str = ""
    batch: str = ""
    returned: str = ""
    fields: dict[str, str] = {}


def details_of(lines: list[str]) -> Details:
    """The lines of :86:, the first without its tag."""
    if not lines:
        return Details()
    whole = "".join(lines)
    if begin := _SUBFIELDS.match(whole):
        return _by_number(whole, begin[1])
    if len(parts := _STROKE_KEY.split(whole)) > 2 and whole.startswith("/"):
        return _by_word(parts)
    return _by_plus(_unwrapped(lines), {})


def _unwrapped(lines: list[str]) -> str:
    text = ""
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        # Some banks break at 64: then only a number goes on in a number.
        goes_on = len(line) == _FULL_LINE - 1 and line[-1].isdigit() and following[:1].isdigit()
        text += line if len(line) >= _FULL_LINE or goes_on else line + " "
    return re.sub(r"\s+", " ", text).strip()


def _by_number(whole: str, mark: str) -> Details:
    """`177?00ONLINE-UEBERWEISUNG?20SVWZ+...`; the purpose goes on from one sub-field to the next without a space."""
    code, *rest = re.split(rf"{re.escape(mark)}([0-9]{{2}})", whole)
    fields = {"code": code}
    for number, value in zip(rest[::2], rest[1::2], strict=True):
        fields[f"?{number}"] = fields.get(f"?{number}", "") + value
    purpose = "".join(fields.get(f"?{number}", "") for number in _PURPOSE)
    found = _by_plus(purpose, fields)
    parties = (fields.get("?32", "") + fields.get("?33", "")).strip()
    said = [fields.get("?00", ""), found.text, parties]
    return Details(
        text=" | ".join(one for one in said if one),
        end_to_end_id=found.end_to_end_id,
        batch=found.batch,
        returned=found.returned,
        fields=found.fields,
    )


def _by_plus(text: str, fields: dict[str, str]) -> Details:
    parts = _PLUS_KEY.split(text)
    said = {key: value.strip() for key, value in zip(parts[1::2], parts[2::2], strict=True)}
    return Details(
        text=text.strip(),
        end_to_end_id=_told(said.get("EREF", "")),
        batch=_told(said.get("PREF", "")),
        returned=_told(said.get("RREF", "")),
        fields=fields | {f"{key}+": value for key, value in said.items()},
    )


def _by_word(parts: list[str]) -> Details:
    """`/EREF/.../REMI/USTD//...`: a value may hold strokes, so that only known words begin the next."""
    fields: dict[str, str] = {}
    for key, value in zip(parts[1::2], parts[2::2], strict=True):
        bare = value.strip().strip("/").strip()
        if bare:
            fields[f"/{key}/"] = f"{fields[f'/{key}/']} {bare}" if f"/{key}/" in fields else bare
    return Details(
        text=" | ".join(fields.values()),
        end_to_end_id=_told(fields.get("/EREF/", "")),
        batch=_told(fields.get("/PREF/", "")),
        returned=_told(fields.get("/RTRN/", "")),
        fields=fields,
    )


def _told(reference: str) -> str:
    return "" if reference.upper() in _NOTHING else reference
