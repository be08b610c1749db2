"""Signed notes: read as C2SP's own example, verified by known keys alone, and never read two ways."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from ledger.audit.checkpoint import Checkpoint
from ledger.audit.merkle import EMPTY_ROOT, leaf_hash
from ledger.audit.signed_note import (
    Cosigner,
    Note,
    NoteInvalid,
    Signer,
    VerifierKey,
    cosigned_at_s,
    read_note,
    signature_of,
    verify_note,
)

# From the documentation of golang.org/x/mod/sumdb/note.
PUBLISHED_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PUBLISHED = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
# A checkpoint of a log of certificates, with what four public witnesses signed on 23 May 2026, and keys of theirs.
WITNESSED = """\
arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA2\
3oHP7Ry1k3ZFWwQ=
— transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7s\
EodkRAErumC2q44vdgJY096st5BQ==
— witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE\
0tgh0XwzdZsDsUAQ==
— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWf\
Bw==
— witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUiOvKFYe\
/TmN9DAg==
"""
WITNESSED_LOG = "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
WITNESSES = [
    "transparency.dev/DEV:witness-little-garden+d8042a87+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM",
    "witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO",
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
    "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
]
WITNESSED_AT_S = 1_779_573_024
ROOT = leaf_hash(b"")
TEXT = str(Checkpoint("ledger.example/shop", 7, ROOT))


def signer(name: str, seed: int) -> Signer:
    return Signer(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


def cosigner(name: str, seed: int) -> Cosigner:
    return Cosigner(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


def test_the_published_note_is_verified_by_the_published_key() -> None:
    key = VerifierKey.parse(PUBLISHED_KEY)
    assert str(key) == PUBLISHED_KEY
    note = read_note(PUBLISHED.encode())
    assert verify_note(note, [key]) == [key]
    assert str(note) == PUBLISHED


def test_a_note_with_one_other_letter_is_not() -> None:
    key = VerifierKey.parse(PUBLISHED_KEY)
    text = PUBLISHED.replace("answer", "Answer")
    with pytest.raises(NoteInvalid, match="PeterNeumann is wrong"):
        verify_note(read_note(text.encode()), [key])


def test_unknown_signatures_are_passed_over_and_one_known_is_enough() -> None:
    ours, theirs, nobodys = signer("ours", 1), signer("witness", 2), signer("nobody", 3)
    note = nobodys.sign(theirs.sign(ours.sign(Note(TEXT))))
    again = read_note(str(note).encode())
    assert again == note
    assert verify_note(again, [theirs.key, ours.key]) == [ours.key, theirs.key]
    assert verify_note(again, [theirs.key]) == [theirs.key]
    with pytest.raises(NoteInvalid, match="nobody who is known"):
        verify_note(again, [signer("ours", 4).key])
    with pytest.raises(NoteInvalid, match="nobody who is known"):
        verify_note(again, [])


def test_a_signature_under_another_name_is_another_key_s() -> None:
    ours = signer("ours", 1)
    assert signer("others", 1).key.id != ours.key.id
    renamed = str(ours.sign(Note(TEXT))).replace("— ours ", "— others ")
    with pytest.raises(NoteInvalid, match="nobody who is known"):
        verify_note(read_note(renamed.encode()), [ours.key, signer("others", 1).key])


def test_what_public_witnesses_signed_is_verified_by_their_published_keys() -> None:
    keys = [VerifierKey.parse(text) for text in [WITNESSED_LOG, *WITNESSES]]
    assert [str(key) for key in keys] == [WITNESSED_LOG, *WITNESSES]
    assert [key.is_witness for key in keys] == [False, True, True, True, True]
    note = read_note(WITNESSED.encode())
    assert verify_note(note, keys) == keys
    for key in keys[1:]:
        signature = signature_of(key, note)
        assert signature is not None
        assert cosigned_at_s(signature) == WITNESSED_AT_S


def test_a_cosignature_is_of_the_text_and_of_the_time() -> None:
    witness = cosigner("witness", 1)
    note = witness.sign(Note(TEXT), 1_700_000_000)
    assert verify_note(note, [witness.key]) == [witness.key]
    (line,) = note.signatures
    assert cosigned_at_s(line) == 1_700_000_000
    for other in (
        Note(TEXT.replace("7", "8"), note.signatures),
        Note(TEXT, (structs.replace(line, signature=(1_700_000_001).to_bytes(8) + line.signature[8:]),)),
        Note(TEXT, (structs.replace(line, signature=line.signature[8:]),)),
        Note(TEXT, (structs.replace(line, signature=line.signature[:8]),)),
    ):
        with pytest.raises(NoteInvalid, match="of witness is"):
            verify_note(other, [witness.key])


def test_no_cosignature_is_of_a_time_that_is_none() -> None:
    witness = cosigner("witness", 1)
    assert verify_note(witness.sign(Note(TEXT), 2**63 - 1), [witness.key])
    with pytest.raises(NoteInvalid, match="the time of witness is none"):
        verify_note(witness.sign(Note(TEXT), 2**63), [witness.key])


def test_a_key_that_cosigns_and_one_that_signs_are_two_although_they_are_one() -> None:
    log, witness = signer("one", 1), cosigner("one", 1)
    assert log.key.public == witness.key.public
    assert log.key.id != witness.key.id
    with pytest.raises(NoteInvalid, match="nobody who is known"):
        verify_note(witness.sign(Note(TEXT), 1), [log.key])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"text\n",
        b"text\n\n",
        b"text\n\n\xff\n",
        b"text\n\n- ours AAAAAAA=\n",
        "text\n\n— ours AAAAAAA=".encode(),
        "text\n\n— ours\n".encode(),
        "text\n\n— ours AAAA\n".encode(),
        "text\n\n— ours AAAAAA==\n".encode(),
        "text\n\n— ours not base64!\n".encode(),
        "text\n\n— o+urs AAAAAAA=\n".encode(),
        "text\n\n—  AAAAAAA=\n".encode(),
        "te\rxt\n\n— ours AAAAAAA=\n".encode(),
        "text\n\n— ours AAAAAAA=\n\n".encode(),
        b"a" * 100_001,
    ],
)
def test_what_is_no_note_is_refused(content: bytes) -> None:
    with pytest.raises(NoteInvalid):
        read_note(content)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ours",
        "ours+00000000",
        PUBLISHED_KEY.replace("c74f20a3", "c74f20a4"),
        PUBLISHED_KEY.replace("ARpc", "Ahpc"),
        PUBLISHED_KEY[:-4],
        PUBLISHED_KEY.replace("Peter", "Peter "),
    ],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(NoteInvalid):
        VerifierKey.parse(text)


@given(st.binary(max_size=300))
def test_whatever_is_read_is_written_as_it_was(content: bytes) -> None:
    for one in (content, b"text\n\n" + content, PUBLISHED.encode() + content):
        try:
            note = read_note(one)
        except NoteInvalid:
            continue
        assert read_note(str(note).encode()) == note


@given(st.text(st.characters(exclude_characters="\n", codec="utf-8"), min_size=1), st.integers(1, 2**63 - 1))
def test_a_checkpoint_is_read_as_it_was_written(origin: str, size: int) -> None:
    one = Checkpoint(origin, size, ROOT)
    assert Checkpoint.parse(str(one)) == one
    assert Checkpoint.parse(str(one) + "more\n") == one


@pytest.mark.parametrize("size", ["", "-1", "+1", "01", " 1", "1 ", "1_0", "\uff11", str(2**63), "9" * 40])
def test_a_size_is_written_in_one_way(size: str) -> None:
    with pytest.raises(NoteInvalid):
        Checkpoint.parse(TEXT.replace("\n7\n", f"\n{size}\n"))


@pytest.mark.parametrize(
    "text", ["", "a\n", "a\n1\n", "a\n1\nAAAA\n", "a\n1\n*\n", "\n1\n" + TEXT.split("\n")[2] + "\n"]
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteInvalid):
        Checkpoint.parse(text)


def test_an_empty_log_has_one_root() -> None:
    assert Checkpoint.parse(str(Checkpoint("a", 0, EMPTY_ROOT))).size == 0
    with pytest.raises(NoteInvalid, match="the root of nothing"):
        Checkpoint("a", 0, ROOT)
