"""Log keys: which public keys sign the checkpoints of this book's log, told in the log itself."""

from typing import ClassVar

from ledger.events.event import Event

LOG_KEYS_STREAM = "log/keys"


class LogKeyAdded(Event, frozen=True):
    """From now on this key signs checkpoints too. `note` says so, signed by the new key and by those before it.

    `key` and `note` are written as C2SP signed-note does.
    """

    topic: ClassVar[str] = "log_keys.added.v1"

    key: str
    note: str


class LogKeyRetired(Event, frozen=True):
    """This key signs no checkpoint any more: one of a larger size that it signed is not ours."""

    topic: ClassVar[str] = "log_keys.retired.v1"

    key: str
