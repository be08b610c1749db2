"""What a request must be answered, and the comparison with what it was answered."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.properties.requests import Json, Reply


@dataclass
class Expected:
    """What a request must be answered. `first`: it is a replay of that one."""

    status: int
    code: str | None = None
    contents: Json = field(default_factory=dict)
    learn: Callable[[Reply], None] = lambda reply: None
    first: "Expected | None" = None
    reply: Reply | None = None

    def settle(self, reply: Reply) -> None:
        """Compare, and learn the ids that the ledger gave."""
        told = f"expected {self}, got {reply}"
        assert (reply.status, reply.code) == (self.status, self.code), told
        if self.first is not None:
            assert reply.replayed, told
            if self.first.reply is not None:
                assert reply.body == self.first.reply.body, told
            else:  # It was answered among others in a batch, which tells less of it.
                _contains(reply.body, self.first.contents, told)
                self.first.reply = reply
            return
        _contains(reply.body, self.contents, told)
        self.reply = reply
        if self.code is None and "id" in reply.body:
            self.contents["id"] = reply.body["id"]
        self.learn(reply)


def _contains(told: Any, wanted: Any, message: str) -> None:
    """Every field that is wanted is there with its value; lists have the same length."""
    if isinstance(wanted, dict):
        assert isinstance(told, dict), message
        for name, value in wanted.items():
            assert name in told, f"{name} is missing: {message}"
            _contains(told[name], value, f"at {name}: {message}")
    elif isinstance(wanted, list):
        assert isinstance(told, list), message
        assert len(told) == len(wanted), message
        for one, other in zip(told, wanted, strict=True):
            _contains(one, other, message)
    else:
        assert told == wanted, message
