"""Tampering: whatever is changed in an export is found, by which check and at which event, however careful the hand.

on the files    edits the bundle of leaves, and nothing else
with manifest   … and the manifest after it
with tree       … and tiles, balances and root, so that all files agree; the checkpoint is not theirs to sign
forger          … and signs a checkpoint with a key of their own, under the log's name
insider         … and signs it with the log's own key: only a kept checkpoint tells
"""

import random
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from ledger.audit.leaf import leaf_of
from ledger.audit.standalone import verify_ledger
from tests.audit.exports import OURS, Attacker, Book, checked, note_of, numbered, opened, stored, transfers
from tests.audit.tampering import AS_GOOD_AS_TRUE, CLASSES, Change, Events
from tests.audit.vectors import ORIGIN, signer

CASES, CASES_OF_INSIDERS = 30, 100
"""Of each class for each attacker: more than two hundred a class."""
SIZE = 44
KEPT = (11, 22, 33, SIZE)


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
    for (events, at), _ in zip(cases(attacker.true, CLASSES[name], name), range(CASES_OF_INSIDERS), strict=False):
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
