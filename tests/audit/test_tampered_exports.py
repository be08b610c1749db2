"""Tampering: whatever is changed in an export is found, by which check and at which event, however careful the hand.

on the files    edits the bundle of leaves, and nothing else
with manifest   … and the manifest after it
with tree       … and tiles, balances and root, so that all files agree; the checkpoint is not theirs to sign
forger          … and signs a checkpoint with a key of their own, under the log's name
insider         … and signs it with the log's own key: only a kept checkpoint tells
"""

import json
import random
from collections.abc import Callable, Iterator
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from struct import pack, unpack_from
from typing import Any

import msgspec
import pytest

from ledger.audit.export_folder import MANIFEST
from ledger.audit.leaf import StoredEvent, leaf_of
from ledger.audit.merkle import Frontier, leaf_hash
from ledger.audit.signed_note import Signer
from ledger.audit.standalone import verify_ledger
from tests.audit.exports import (
    OURS,
    Book,
    checked,
    claims_of,
    manifest_of,
    note_of,
    opened,
    stored,
    tiles_over,
    transfers,
)
from tests.audit.vectors import ORIGIN, signer

CASES = 100
SIZE = 44
KEPT = (11, 22, 33, SIZE)
_POSITION = len(verify_ledger.PREFIX)

Events = list[StoredEvent]
Change = Callable[[random.Random, Events], Events]


# --- what is changed: events in, events out, in the order of the forged log


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


# --- who changes it


class Attacker:
    """Puts forged leaves into the place of the true ones."""

    def __init__(self, folder: Path, true: Book) -> None:
        self.folder, self.true = folder, true

    def files(self, leaves: list[bytes]) -> None:
        framed = b"".join(len(leaf).to_bytes(4, "big") + leaf for leaf in leaves)
        (self.folder / "entries" / "000000.bin").write_bytes(framed)

    def manifest(self, **also: Any) -> None:
        manifest = manifest_of(self.folder)
        paths = [file for file in self.folder.rglob("*") if file.is_file() and file.name != MANIFEST]
        contents = {file.relative_to(self.folder).as_posix(): file.read_bytes() for file in paths}
        manifest["files"] = {
            path: {"bytes": len(content), "sha256": sha256(content).hexdigest()} for path, content in contents.items()
        }
        (self.folder / MANIFEST).write_text(json.dumps(manifest | also))

    def tree(self, leaves: list[bytes], signed_by: Signer | None = None) -> None:
        hashes = [leaf_hash(leaf) for leaf in leaves]
        for file in [*self.folder.glob("tile/**/*"), *self.folder.glob("checkpoints/*")]:
            if file.is_file():
                file.unlink()
        for path, content in tiles_over(hashes).items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_bytes(content)
        claims = claims_of(leaves, [account.id for account in self.true.chart])
        (self.folder / "balances.json").write_text(json.dumps({"size": len(leaves), **claims}))
        if signed_by is not None:
            (self.folder / "checkpoint").write_bytes(note_of(leaves, len(leaves), signed_by))
        self.manifest(size=len(leaves), root=Frontier().extended(hashes).root.hex())


def numbered(events: Events) -> list[bytes]:
    """The leaves of a forged log whose positions, versions and times are without a hole."""
    versions: dict[str, int] = {}
    leaves, last = [], events[0].recorded_at
    for position, event in enumerate(events, 1):
        version = versions[event.stream] = versions.get(event.stream, 0) + 1
        last = max(last, event.recorded_at)
        leaves.append(leaf_of(msgspec.structs.replace(event, position=position, version=version, recorded_at=last)))
    return leaves


def first_difference(one: list[bytes], other: list[bytes]) -> int:
    """The first position at which two logs are not the same."""
    for at, (left, right) in enumerate(zip(one, other, strict=False), 1):
        if left != right:
            return at
    return min(len(one), len(other)) + 1


@pytest.fixture(scope="module")
def book() -> Book:
    return Book(stored([*opened("a", "b", "c", "d"), *transfers(SIZE - 4)]), older=(9,))


@pytest.fixture(scope="module")
def kept(book: Book, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Checkpoints that an outsider kept, the newest one too."""
    folder = tmp_path_factory.mktemp("kept")
    for size in KEPT:
        (folder / str(size)).write_bytes(note_of(book.leaves, size))
    return [folder / str(size) for size in KEPT]


@pytest.fixture
def attacker(book: Book, tmp_path: Path) -> Attacker:
    return Attacker(book.write(tmp_path), book)


@pytest.fixture(autouse=True)
def _signatures_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same signature over the same text is reckoned once: it is most of the time."""
    monkeypatch.setattr(verify_ledger, "signed", lru_cache(verify_ledger.signed))


def cases(book: Book, change: Change, seed: str) -> Iterator[tuple[Events, int]]:
    """Forged logs, each with the first position where it is one."""
    chance = random.Random(seed)
    while True:
        events = change(chance, book.events)
        leaves = numbered(events)
        if leaves != book.leaves:
            yield events, first_difference(leaves, book.leaves)


def said(found: dict[str, Any]) -> tuple[int, int | None]:
    return found["exit"], found["position"]


def test_the_export_that_nobody_has_touched_is_right(attacker: Attacker, kept: list[Path]) -> None:
    found = checked(attacker.folder, kept=kept)
    assert (said(found), found["kept"], found["size"]) == ((0, None), len(KEPT), SIZE)
    assert found["trial_balance"] == {"EUR": "0"}


@pytest.mark.parametrize("name", CLASSES)
def test_who_edits_the_leaves_alone_is_found_by_the_manifest_at_the_very_event(name: str, attacker: Attacker) -> None:
    for (events, _), _ in zip(cases(attacker.true, CLASSES[name], name), range(CASES), strict=False):
        leaves = [leaf_of(event) for event in events]
        attacker.files(leaves)
        at = first_difference(leaves, attacker.true.leaves)
        assert said(checked(attacker.folder)) == (10, at)


@pytest.mark.parametrize("name", CLASSES)
def test_who_makes_the_manifest_fit_is_found_by_the_order_or_the_tiles_at_the_very_event(
    name: str, attacker: Attacker
) -> None:
    for (events, at), _ in zip(cases(attacker.true, CLASSES[name], name), range(CASES), strict=False):
        leaves = numbered(events)
        attacker.files(leaves)
        attacker.manifest()
        code, position = said(checked(attacker.folder))
        assert (code, position) == (12 if len(leaves) == SIZE else 11, at)


@pytest.mark.parametrize("name", CLASSES)
def test_who_makes_all_files_fit_is_found_by_the_checkpoint(name: str, attacker: Attacker, kept: list[Path]) -> None:
    for (events, at), _ in zip(cases(attacker.true, CLASSES[name], name), range(CASES), strict=False):
        leaves = numbered(events)
        attacker.files(leaves)
        attacker.tree(leaves)
        found = checked(attacker.folder, kept=kept)
        assert found["exit"] == 13
        assert _is_about(found, at)


@pytest.mark.parametrize("name", CLASSES)
def test_who_signs_with_another_key_is_found_by_the_signature(name: str, attacker: Attacker, kept: list[Path]) -> None:
    forger = signer(ORIGIN, 99)
    for (events, at), _ in zip(cases(attacker.true, CLASSES[name], name), range(CASES), strict=False):
        leaves = numbered(events)
        attacker.files(leaves)
        attacker.tree(leaves, forger)
        found = checked(attacker.folder, kept=kept)
        assert found["exit"] == 14
        assert _is_about(found, at)


@pytest.mark.parametrize("name", CLASSES)
def test_who_has_the_key_of_the_log_is_found_by_a_kept_checkpoint_alone(
    name: str, attacker: Attacker, kept: list[Path]
) -> None:
    for (events, at), _ in zip(cases(attacker.true, CLASSES[name], name), range(CASES), strict=False):
        leaves = numbered(events)
        attacker.files(leaves)
        attacker.tree(leaves, OURS)
        found = checked(attacker.folder, kept=kept)
        assert found["exit"] == (16 if any(at <= size <= len(leaves) for size in KEPT) else 17)
        assert _is_about(found, at)
        if name in AS_GOOD_AS_TRUE:
            assert checked(attacker.folder)["exit"] == 0


def _is_about(found: dict[str, Any], at: int) -> bool:
    """Whether the event, or an interval that holds it, is named."""
    first, last = found["position"], found["until"] or found["position"]
    return first is not None and first <= at <= last
