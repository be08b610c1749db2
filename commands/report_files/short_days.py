"""Short days: dates of six digits, as messages of banks write them: YYMMDD."""

from datetime import date

from commands.report_files.opening import YEARS, Unreadable, shown

_PREVIOUS_CENTURY = 80  # SWIFT: two digits from 80 on are of the 20th century


def short_day(text: str) -> date:
    """The day that YYMMDD names; raises Unreadable."""
    try:
        if not (len(text) == 6 and text.isascii() and text.isdigit()):
            raise ValueError
        year = int(text[:2])
        found = date(year + (1900 if year >= _PREVIOUS_CENTURY else 2000), int(text[2:4]), int(text[4:]))
    except ValueError:
        raise Unreadable(f"{shown(text)} is no day") from None
    if found.year not in YEARS:
        raise Unreadable(f"{shown(text)} is no day")
    return found
