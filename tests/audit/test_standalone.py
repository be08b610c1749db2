"""The standalone verifier: each thing that may be wrong has its code and its event; who is believed, and who is not."""

from pathlib import Path

import msgspec
import pytest

from ledger.audit import export_folder
from ledger.audit.standalone import verify_ledger
from tests.audit.exports import ACCOUNTS, OURS, Attacker, Book, checked, note_of, opened, stored, transfers
from tests.audit.judged_exports import BASE, FILES, LOGS, SEVENTH, TEN, Judged
from tests.audit.vectors import ORIGIN, Cosigner, signer


@pytest.mark.parametrize("name", [*LOGS, *SEVENTH])
def test_what_a_log_holds_is_judged_with_its_own_code_at_the_very_event(name: str, exports: Judged) -> None:
    folder, code, at = exports[name]
    found = checked(folder)
    assert (found["exit"], found["position"]) == (code, at), found["findings"]


@pytest.mark.parametrize("name", FILES)
def test_what_an_export_claims_is_judged_with_its_own_code(name: str, exports: Judged) -> None:
    folder, code, _ = exports[name]
    found = checked(folder)
    assert found["exit"] == code, found["findings"]


# --- whose signature


def test_without_a_key_it_says_loudly_that_nobody_s_signature_was_checked(shop: Path) -> None:
    found = checked(shop, vkeys=())
    assert (found["ok"], found["exit"], found["signature_checked"]) == (True, 3, False)
    assert "NOBODY'S SIGNATURE WAS CHECKED" in verify_ledger.told(found)


@pytest.mark.parametrize("key", [str(signer(ORIGIN, 2).key), str(signer("another.example/shop", 1).key)])
def test_nobody_but_the_given_key_of_this_log_is_believed(shop: Path, key: str, tmp_path: Path) -> None:
    assert checked(shop, vkeys=[key])["exit"] == 14
    assert checked(Book(stored(BASE)).write(tmp_path), vkeys=[key])["exit"] == 14


def test_where_keys_have_changed_one_of_them_is_enough(shop: Path) -> None:
    assert checked(shop, vkeys=[str(signer(ORIGIN, 2).key), str(OURS.key)])["exit"] == 0


def test_a_checkpoint_that_was_kept_has_to_be_this_log_s_own(shop: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    for content, code in (
        (note_of(TEN, 4), 0),
        (note_of(TEN, 0), 0),
        (note_of(TEN, 4, signer(ORIGIN, 2)), 16),
        (note_of(TEN, 4, signer("another", 1), "another"), 16),
        (note_of(TEN[1:], 4), 16),
        (note_of([*TEN, *TEN], 12), 17),
        (b"", 16),
        (b"\xff\n\n\n", 16),
    ):
        kept.write_bytes(content)
        assert checked(shop, kept=[kept])["exit"] == code, content
    kept.write_bytes(note_of(TEN, 4, signer("another", 1), "another"))
    assert checked(shop, vkeys=(), kept=[kept])["exit"] == 16
    kept.unlink()
    assert checked(shop, kept=[kept])["exit"] == 16


def test_several_kept_checkpoints_name_the_interval_in_which_history_was_changed(tmp_path: Path) -> None:
    changed = stored(BASE)
    changed[6] = msgspec.structs.replace(changed[6], metadata=b'{"actor":"another","key":"key-7"}')
    folder = Book(changed).write(tmp_path / "export")
    kept = []
    for size in (2, 5, 8, 10):
        kept.append(tmp_path / str(size))
        kept[-1].write_bytes(note_of(TEN, size))
    found = checked(folder, kept=kept)
    assert (found["exit"], found["position"], found["until"], found["kept"]) == (16, 6, 8, 2)
    assert "since the checkpoint of size 8" in found["words"]


def test_so_many_witnesses_have_to_have_signed_as_are_asked_for(tmp_path: Path) -> None:
    book = Book(stored(BASE))
    folder = book.write(tmp_path)
    one, other, absent = (Cosigner(f"witness.example/{name}", seed) for name, seed in (("a", 1), ("b", 2), ("c", 3)))
    note = folder / "checkpoint"
    text = note.read_text().partition("\n\n")[0] + "\n"
    note.write_text(note.read_text() + one.line(text) + other.line(text))
    Attacker(folder, book).manifest()

    def asked(witnesses: list[Cosigner], quorum: int = -1) -> tuple[int, int]:
        found = verify_ledger.verify(str(folder), [str(OURS.key)], (), [who.key for who in witnesses], quorum)
        return found["exit"], found["witnesses"]

    assert asked([one, other]) == (0, 2)
    assert asked([one, other, absent]) == (15, 2)
    assert asked([one, other, absent], 2) == (0, 2)
    assert asked([one, one], 2) == (15, 1)
    note.write_text(note.read_text().replace(one.line(text), one.line(text + "more\n")))
    Attacker(folder, book).manifest()
    assert asked([one, other], 1)[0] == 15


# --- logs of other sizes


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 600, 1024])
def test_a_log_of_any_size_is_whole(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_folder, "BUNDLE", 256)
    monkeypatch.setattr(verify_ledger, "BUNDLE", 256)
    events = [*opened(*ACCOUNTS), *transfers(size)][:size]
    folder = Book(stored(events), older=[one for one in (1, 256, 300) if one < size]).write(tmp_path)
    found = checked(folder)
    assert (found["exit"], found["size"]) == (0, size), found
    assert len(list(folder.glob("entries/*"))) == (size + 255) // 256


def test_a_leaf_in_a_later_bundle_is_found_at_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_folder, "BUNDLE", 256)
    monkeypatch.setattr(verify_ledger, "BUNDLE", 256)
    book = Book(stored([*opened(*ACCOUNTS), *transfers(696)]))
    folder = book.write(tmp_path)
    bundle = folder / "entries" / "000001.bin"
    bundle.write_bytes(bundle.read_bytes().replace(b"cor_300", b"cor_301"))
    found = checked(folder)
    assert (found["exit"], found["position"]) == (10, 300)
    Attacker(folder, book).manifest()
    found = checked(folder)
    assert (found["exit"], found["position"]) == (12, 300)
    tile = folder / "tile" / "1" / "000.p" / "2"
    tile.write_bytes(bytes(64))
    Attacker(folder, book).manifest()
    assert [one["check"] for one in checked(folder)["findings"]] == ["tiles", "root"]
