"""Alipay's forms: parameters signed with RSA2 in the charset that they are written in, and answers signed as is."""

import base64
import binascii
from collections.abc import Mapping
from datetime import timedelta, timezone
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

import msgspec

from commands.channels.keys import SigningKey, VerifyingKey

Charset = Literal["utf-8", "gbk"]
CHINA = timezone(timedelta(hours=8))
TIME = "%Y-%m-%d %H:%M:%S"


def signable(fields: Mapping[str, str], *but: str) -> str:
    """The fields that have a value, sorted by name."""
    return "&".join(f"{name}={value}" for name, value in sorted(fields.items()) if value and name not in but)


def signed(key: SigningKey, fields: Mapping[str, str], charset: Charset, *but: str) -> bytes:
    """The form with its signature among its fields; what the charset cannot say stands as a question mark."""
    told = {name: value.encode(charset, "replace").decode(charset) for name, value in fields.items() if value}
    sign = base64.b64encode(key.signature(signable(told, *but).encode(charset))).decode()
    return urlencode(sorted({**told, "sign": sign}.items()), encoding=charset).encode()


def fits(key: VerifyingKey, message: bytes, sign: str) -> bool:
    """Whether this is the other's signature, written in the one way there is."""
    try:
        signature = base64.b64decode(sign, validate=True)
    except (binascii.Error, ValueError):
        return False
    return base64.b64encode(signature).decode() == sign and key.verifies(message, signature)


def read_form(body: bytes, charset: Charset) -> dict[str, str] | None:
    """The fields, each of them once; None for whatever else it is."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=True, encoding=charset, errors="strict"
        )
    except ValueError:  # also of a strange encoding
        return None
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else None


def read_answer(key: VerifyingKey, method: str, body: bytes, charset: Charset) -> dict[str, Any] | str:
    """What stands in a signed answer to this method, or what is wrong with it."""
    try:
        parts = msgspec.json.decode(body.decode(charset), type=dict[str, msgspec.Raw])
        raw = bytes(parts[method.replace(".", "_") + "_response"])
        sign = msgspec.json.decode(parts["sign"], type=str)
        genuine = fits(key, raw.decode().encode(charset), sign)
        return msgspec.json.decode(raw, type=dict[str, Any]) if genuine else "the answer is not signed by the channel"
    except (KeyError, msgspec.MsgspecError, UnicodeError, RecursionError):
        return "the answer cannot be read"
