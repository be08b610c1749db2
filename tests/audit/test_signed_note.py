"""Signed notes: read as C2SP's own example, verified by known keys alone, and never read two ways."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger.audit.checkpoint import Checkpoint
from ledger.audit.merkle import EMPTY_ROOT, leaf_hash
from ledger.audit.signed_note import Note, NoteInvalid, Signer, VerifierKey, read_note, verify_note

# From the documentation of golang.org/x/mod/sumdb/note.
PUBLISHED_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PUBLISHED = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ROOT = leaf_hash(b"")
TEXT = str(Checkpoint("ledger.example/shop", 7, ROOT))


def signer(name: str, seed: int) -> Signer:
    return Signer(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


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
