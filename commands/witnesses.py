"""Witnesses: who cosigns our logs: where each is asked, and the key that its cosignatures are believed by."""

from urllib.parse import urlsplit

from msgspec import Struct

from ledger.audit.signed_note import NoteInvalid, VerifierKey


class Witness(Struct, frozen=True):
    """One witness: the URL before `/add-checkpoint`, and its key."""

    url: str
    key: VerifierKey


def parse_witnesses(text: str) -> list[Witness]:
    """Those in `URL VKEY, URL VKEY…`; raises ValueError, which says what is wrong and does not repeat the URL."""
    found: list[Witness] = []
    for place, one in enumerate((one for one in text.replace("\n", ",").split(",") if one.strip()), 1):
        words = one.split()
        if len(words) != 2:
            raise ValueError(f"witness {place} is not written as URL VKEY")
        url, vkey = words
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ValueError(f"witness {place} has no address that begins with http:// or https://")
        try:
            key = VerifierKey.parse(vkey)
        except NoteInvalid as error:
            raise ValueError(f"the key of witness {place}: {error}") from None
        if not key.is_witness:
            raise ValueError(f"the key of witness {place} is that of a log")
        if any(key.name == other.key.name for other in found):
            # A checkpoint has one line for each name.
            raise ValueError(f"two witnesses are called {key.name}")
        found.append(Witness(url.rstrip("/"), key))
    return found
