"""Stranger's hooks: what every request of a stranger is changed in before it is sent, so that it gets further."""

import re
import secrets
from typing import Any

import schemathesis
from schemathesis import Case, HookContext

_KEY = "Idempotency-Key"
_GOOD_KEY = re.compile(r"[!-~]{1,200}")


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Fresh keys where there are good ones, no wait for a position that is far away, and no standstill of payments."""
    if _KEY in case.headers:
        case.headers[_KEY] = _freshened(case.headers[_KEY])
    if isinstance(case.body, dict) and isinstance(transfers := case.body.get("transfers"), list):
        for transfer in transfers:
            if isinstance(transfer, dict) and "idempotency_key" in transfer:
                transfer["idempotency_key"] = _freshened(transfer["idempotency_key"])
    position = (case.query or {}).get("min_position")
    if str(position).isdecimal():
        case.query["min_position"] = int(str(position)) % 3
    # Whoever freezes an account of the system stops what is booked on it, until somebody else thaws it.
    if case.method == "POST" and str(case.path_parameters.get("account", "")).startswith("sys:"):
        case.path_parameters["account"] = "cash"


def _freshened(key: Any) -> Any:
    """A key that nobody has used, in the place of one that can be one; all others stay as bad as they are."""
    good = isinstance(key, str) and _GOOD_KEY.fullmatch(key)
    return f"{key}{secrets.token_hex(8)}" if good else key
