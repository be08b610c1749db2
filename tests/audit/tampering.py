"""Tampering: eleven ways to change a log, each at random: events in, events out, in the order of the forged log."""

import json
import random
from collections.abc import Callable
from struct import pack, unpack_from
from typing import Any

import msgspec

from ledger.audit.leaf import StoredEvent

Events = list[StoredEvent]
Change = Callable[[random.Random, Events], Events]


def _changed(events: Events, at: int, **fields: Any) -> Events:
    return [*events[:at], msgspec.structs.replace(events[at], **fields), *events[at + 1 :]]


def _posting(chance: random.Random, events: Events) -> int:
    return chance.choice([at for at, event in enumerate(events) if event.entry])


def amount(chance: random.Random, events: Events) -> Events:
    at = _posting(chance, events)
    event = events[at]
    (was,) = unpack_from(">Q", event.entry, 11)
    new = was + chance.choice([1, 100, 10_000, -1])
    entry = event.entry.replace(pack(">Q", was), pack(">Q", new))
    return _changed(events, at, entry=entry, state=event.state.replace(b":%d" % was, b":%d" % new))


def date(chance: random.Random, events: Events) -> Events:
    at = _posting(chance, events)
    effective = unpack_from(">q", events[at].entry)[0] - chance.randrange(1, 10**12)
    return _changed(events, at, entry=pack(">q", effective) + events[at].entry[8:])


def metadata(chance: random.Random, events: Events) -> Events:
    at = chance.randrange(len(events))
    values = json.loads(events[at].metadata)
    values[chance.choice(["correlation", "reason", "causation"])] = f"another-{chance.random()}"
    return _changed(events, at, metadata=json.dumps(values).encode())


def actor(chance: random.Random, events: Events) -> Events:
    at = chance.randrange(len(events))
    return _changed(events, at, metadata=events[at].metadata.replace(b'"key_1"', b'"key_%d"' % chance.randrange(2, 99)))


def topic(chance: random.Random, events: Events) -> Events:
    at = chance.randrange(len(events))
    return _changed(events, at, topic=chance.choice(["transfers.postponed.v1", "x", "accounts.frozen.v1"]))


def delete_in_the_middle(chance: random.Random, events: Events) -> Events:
    at = chance.randrange(len(events) - 1)
    return events[:at] + events[at + 1 :]


def delete_at_the_tail(chance: random.Random, events: Events) -> Events:
    return events[: -chance.randrange(1, len(events) // 2)]


def swap(chance: random.Random, events: Events) -> Events:
    one, other = sorted(chance.sample(range(len(events)), 2))
    changed = list(events)
    changed[one], changed[other] = changed[other], changed[one]
    return changed


def duplicate(chance: random.Random, events: Events) -> Events:
    at, to = _posting(chance, events), chance.randrange(len(events))
    return [*events[:to], events[at], *events[to:]]


def insert(chance: random.Random, events: Events) -> Events:
    at, to = _posting(chance, events), chance.randrange(len(events))
    number = chance.randrange(10**6)
    new = msgspec.structs.replace(events[at], stream=f"ent_new{number}", metadata=b'{"actor":"x","key":"x%d"}' % number)
    return [*events[:to], new, *events[to:]]


def rewrite(chance: random.Random, events: Events) -> Events:
    begin = chance.randrange(len(events))
    for at in range(begin, len(events)):
        events = _changed(events, at, metadata=b'{"actor":"another","key":"k%d"}' % at)
    return events


CLASSES: dict[str, Change] = {
    change.__name__: change
    for change in (
        amount,
        date,
        metadata,
        actor,
        topic,
        delete_in_the_middle,
        delete_at_the_tail,
        swap,
        duplicate,
        insert,
        rewrite,
    )
}


# What makes a history that is as good as the true one: by itself, nobody could tell.
AS_GOOD_AS_TRUE = ("amount", "date", "metadata", "actor", "delete_at_the_tail", "rewrite")
