"""Upcasters: how events of an old shape are read today. An event in the log is never rewritten.

Each entry leads from an old topic to the next one and says what becomes of the recorded values; several may chain.
"""

from collections.abc import Callable

from ledger.errors import JsonValue

Values = dict[str, JsonValue]

# old topic -> (next topic, what to do with the values). Empty: every shape that was ever written is still today's.
UPCASTERS: dict[str, tuple[str, Callable[[Values], Values]]] = {}
