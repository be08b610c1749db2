"""Tokens: what a personal value is while it is sealed, readable only with the key of its subject.

~s1~customer/ann~<nonce and ciphertext, base64url>~      the value
~m1~customer/ann~…~                                      the same, to be told by its last four characters
"""

import re

ERASED = "[erased]"
"""What is told in place of a value whose key is gone."""

SEALED_START = b"~s1~"
MASKED_START = b"~m1~"
_SEALED, _MASKED = SEALED_START.decode(), MASKED_START.decode()
_FORM = r"~(?P<kind>[sm]1)~(?P<subject>[A-Za-z0-9_./:-]{1,100})~(?P<box>[A-Za-z0-9_-]{38,})~"
_TOKEN = re.compile(_FORM)
TOKEN_IN_BYTES = re.compile(_FORM.encode())
_SHOWN_CHARACTERS = 4


def is_token(text: str) -> bool:
    """Whether this is a value in its seal."""
    return text.startswith((_SEALED, _MASKED)) and _TOKEN.fullmatch(text) is not None


def token(subject: str, box: str) -> str:
    """A sealed value of this subject."""
    return f"{_SEALED}{subject}~{box}~"


def masked(text: str) -> str:
    """The last four characters, where there are more than that, behind stars for the others; a token stays one."""
    if is_token(text):
        return _MASKED + text[len(_SEALED) :]
    hidden = len(text) - _SHOWN_CHARACTERS
    return "*" * len(text) if hidden <= 0 else "*" * hidden + text[hidden:]


def may_hold_tokens(text: str) -> bool:
    """Whether what begins a token stands in this text: nothing from outside may."""
    return _SEALED in text or _MASKED in text


def holds_tokens(body: bytes) -> bool:
    """Whether a sealed value may stand in this."""
    return SEALED_START in body or MASKED_START in body


def subjects_in(body: bytes) -> list[str]:
    """Whose sealed values stand in this, each once."""
    if not holds_tokens(body):
        return []
    return sorted({found["subject"].decode() for found in TOKEN_IN_BYTES.finditer(body)})
