"""A witness: answers as the protocol says, and never cosigns two histories of one log, whoever asks, in any order."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from api.witness.memory import Memory
from ledger.audit.checkpoint import Checkpoint
from ledger.audit.signed_note import Cosigner, Note, VerifierKey, read_note
from ledger.audit.witness import (
    MOST_BYTES,
    SIZE_TYPE,
    Kept,
    NotCosigned,
    Submission,
    check_submission,
    read_submission,
    written_request,
)
from tests.audit.histories import MOST, ORIGIN, Log

LOG, FORK = Log(), Log(forked_at=9)
LOGS = {ORIGIN: [LOG.signer.key]}
COSIGNER = Cosigner("witness.example/w1", Ed25519PrivateKey.from_private_bytes(bytes([9]) * 32))


def kept(log: Log, size: int) -> Kept:
    return Kept(size, log.root(size))


def refusal_of(content: bytes, is_kept: Kept, logs: Mapping[str, Sequence[VerifierKey]] = LOGS) -> NotCosigned | None:
    try:
        check_submission(read_submission(content, logs), is_kept)
    except NotCosigned as refusal:
        return refusal
    return None


def changed(content: bytes, old: str, new: str) -> bytes:
    assert old.encode() in content
    return content.replace(old.encode(), new.encode())


GOOD = LOG.request(5, 12)
FIRST_HASH = GOOD.split(b"\n")[1].decode()
UNSIGNED = Log(seed=2).request(5, 12)
ANOTHER = Log(origin="ledger.example/other").request(5, 12)
MANY_HASHES = b"old 5\n" + f"{FIRST_HASH}\n".encode() * 63
NO_CHECKPOINT = str(LOG.signer.sign(Note(f"{ORIGIN}\n"))).encode()
TABLE: list[tuple[str, bytes, Kept, int]] = [
    ("the first checkpoint", LOG.request(0, 12), Kept(), 200),
    ("the first one of an empty log", LOG.request(0, 0), Kept(), 200),
    ("one that goes on", GOOD, kept(LOG, 5), 200),
    ("the same again", LOG.request(12, 12), kept(LOG, 12), 200),
    ("with somebody else's signature", changed(GOOD, "\n— ", "\n— who AAAAAAA=\n— "), kept(LOG, 5), 200),
    ("nothing", b"", Kept(), 400),
    ("no empty line", GOOD.replace(b"\n\n", b"\n"), kept(LOG, 5), 400),
    ("no note", b"old 0\n\nnote", Kept(), 400),
    ("no old size", changed(GOOD, "old 5\n", "5\n"), kept(LOG, 5), 400),
    ("an old size with a zero before it", changed(GOOD, "old 5\n", "old 05\n"), kept(LOG, 5), 400),
    ("an old size with a sign", changed(GOOD, "old 5\n", "old +5\n"), kept(LOG, 5), 400),
    ("an old size in other digits", changed(GOOD, "old 5\n", "old \uff15\n"), kept(LOG, 5), 400),
    ("an old size beyond the new one", LOG.request(12, 5), kept(LOG, 12), 400),
    ("a hash that is not base64", changed(GOOD, FIRST_HASH, "*"), kept(LOG, 5), 400),
    ("a hash that is too short", changed(GOOD, FIRST_HASH, "AAAA"), kept(LOG, 5), 400),
    ("64 hashes", changed(GOOD, "old 5\n", MANY_HASHES.decode()), kept(LOG, 5), 400),
    ("63 hashes", MANY_HASHES + b"\n" + str(LOG.note(12)).encode(), kept(LOG, 5), 422),
    ("not UTF-8", GOOD.replace(b"shop", b"\xff", 1), kept(LOG, 5), 400),
    ("a text that is no checkpoint", written_request(0, [], NO_CHECKPOINT), Kept(), 400),
    ("signed by another key of that name", UNSIGNED, kept(LOG, 5), 403),
    ("signed wrongly", changed(GOOD, "\n12\n", "\n13\n"), kept(LOG, 5), 403),
    ("a log that is not known", ANOTHER, kept(LOG, 5), 404),
    ("from nothing, when something is kept", LOG.request(0, 12), kept(LOG, 5), 409),
    ("from less than is kept", LOG.request(3, 12), kept(LOG, 5), 409),
    ("from more than is kept", LOG.request(6, 12), kept(LOG, 5), 409),
    ("when nothing is kept", GOOD, Kept(), 409),
    ("less than is kept", LOG.request(3, 4), kept(LOG, 5), 409),
    ("a proof where none is needed", written_request(0, LOG.proof(5, 12), str(LOG.note(12)).encode()), Kept(), 422),
    ("no proof", written_request(5, [], str(LOG.note(12)).encode()), kept(LOG, 5), 422),
    ("half a proof", written_request(5, LOG.proof(5, 12)[:-1], str(LOG.note(12)).encode()), kept(LOG, 5), 422),
    ("a rewritten log", FORK.request(10, 12), kept(LOG, 10), 422),
    ("a rewritten log of the same size", FORK.request(12, 12), kept(LOG, 12), 422),
    ("an empty log with a root", written_request(0, [], str(LOG.note(0, b"\1" * 32)).encode()), Kept(), 422),
]  # fmt: skip


@pytest.mark.parametrize(("content", "is_kept", "status"), [pytest.param(*row[1:], id=row[0]) for row in TABLE])
def test_each_request_has_its_answer(content: bytes, is_kept: Kept, status: int) -> None:
    refusal = refusal_of(content, is_kept)
    assert (200 if refusal is None else refusal.status) == status
    if refusal is not None:
        assert (refusal.media_type == SIZE_TYPE) == (status == 409)
        assert status != 409 or refusal.text == f"{is_kept.size}\n"


def test_only_what_the_log_signed_is_taken_over() -> None:
    content = changed(GOOD, "\n— ", "\n— who AAAAAAA=\n— ")
    assert read_submission(content, LOGS).note == LOG.note(12)


def test_all_keys_of_a_log_count_while_one_follows_another() -> None:
    old, new = Log(seed=3).signer, LOG.signer
    note = str(old.sign(LOG.note(12))).encode()
    content = written_request(5, LOG.proof(5, 12), note)
    assert read_submission(content, {ORIGIN: [old.key, new.key]}).note.signatures == read_note(note).signatures
    assert len(read_submission(content, {ORIGIN: [old.key]}).note.signatures) == 1


def test_a_signed_checkpoint_of_another_history_is_disputed_and_one_that_only_comes_late_is_not() -> None:
    disputed = {
        "a rewritten log",
        "a rewritten log of the same size",
        "no proof",
        "half a proof",
        "63 hashes",
        "a proof where none is needed",
    }
    for name, content, is_kept, status in TABLE:
        if status not in (409, 422) or name == "an empty log with a root":
            continue
        refusal = refusal_of(content, is_kept)
        assert refusal is not None
        assert refusal.is_disputed == (name in disputed), name
    refusal = refusal_of(FORK.request(0, 12), kept(LOG, 12))
    assert refusal is not None
    assert (refusal.status, refusal.is_disputed) == (409, True)


def test_the_longest_request_is_one_that_is_read() -> None:
    assert len(MANY_HASHES) + 100_000 < MOST_BYTES


# --- published: what another witness (FiloSottile/torchwood, litewitness.txt) answers to the same requests


SIGSUM = "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562"
SIGSUM_KEY = VerifierKey(SIGSUM, bytes.fromhex("ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f"))
SIGSUM_LOGS = {SIGSUM: [SIGSUM_KEY]}
LEAF_1, LEAF_2, LEAF_3, LEAF_4 = (f"Kg{letter}{'A' * 39}=" for letter in ("EA", "IA", "MA", "QA"))
AT_1 = "1\nKgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
AT_3 = "3\nRcCI1Nk56ZcSmIEfIn0SleqtV7uvrlXNccFx595Iwl0="
AT_5 = "5\nQrtXrQZCCvpIgsSmOsah7HdICzMLLyDfxToMql9WTjY="
SIGNED_1 = "UgIom7fPZTqpxWWhyjWduBvTvGVqsokMbqTArsQilegKoFBJQjUFAmQ0+YeSPM3wfUQMFSzVnnNuWRTYrajXpNUbIQY="
SIGNED_3 = "UgIom2VbtIcdFbwFAy1n7s6IkAxIY6J/GQOTuZF2ORV39d75cbAj2aQYwyJre36kezNobZs4SUUdrcawfAB8WVrx6go="
SIGNED_5 = "UgIomw/EOJmWi0i1FQsOj+etB7F8IccFam/jgd6wzRns4QPVmyEZtdvl1U2KEmLOZ/ASRcWJi0tW90dJWAShei7sDww="
PUBLISHED: list[tuple[int, list[str], str, str, int]] = [
    (0, [], AT_1, SIGNED_1, 200),
    (1, [LEAF_1, LEAF_2], AT_3, SIGNED_3.replace("6go", "6gx"), 403),
    (1, [], AT_3, SIGNED_3, 422),
    (1, [LEAF_1, LEAF_2.replace("AAA=", "ABA=")], AT_3, SIGNED_3, 422),
    (1, [LEAF_1, LEAF_2], AT_3, SIGNED_3, 200),
    (1, [LEAF_1, "+fUDV+k970B4I3uKrqJM4aP1lloPZP8mvr2Z4wRw2LI=", LEAF_4], AT_5, SIGNED_5, 409),
    (3, [LEAF_2, LEAF_3, "wgiIFdZfYNv6WU1OllBKsWnLYIS/DBMqt8Uh/S4OukE=", LEAF_4], AT_5, SIGNED_5, 200),
    (0, [], AT_5, SIGNED_5, 409),
]


def test_the_answers_are_those_of_another_witness() -> None:
    is_kept = Kept()
    for old, proof, at, signed, status in PUBLISHED:
        lines = [f"old {old}", *proof, "", SIGSUM, at, "", f"— {SIGSUM} {signed}", ""]
        content = "\n".join(lines).encode()
        refusal = refusal_of(content, is_kept, SIGSUM_LOGS)
        assert (200 if refusal is None else refusal.status) == status
        if refusal is None:
            one = read_submission(content, SIGSUM_LOGS).checkpoint
            is_kept = Kept(one.size, one.root)
        elif status == 409:
            assert refusal.text == f"{is_kept.size}\n"
    assert is_kept.size == 5


# --- the law


HISTORIES = {fork: Log(forked_at=fork) for fork in (MOST, 9, 4)}
NOTES = {(fork, size): str(log.note(size)).encode() for fork, log in HISTORIES.items() for size in range(MOST + 1)}
SIZES, FORKS = st.integers(0, MOST), st.sampled_from(list(HISTORIES))


def is_one_history(cosigned: list[Checkpoint]) -> bool:
    """Whether there is a log of which each of these is what it once was."""
    return any(all(log.root(one.size) == one.root for one in cosigned) for log in HISTORIES.values())


@given(st.lists(st.tuples(SIZES, SIZES, FORKS, FORKS), max_size=30))
def test_never_are_two_histories_cosigned(requests: list[tuple[int, int, int, int]]) -> None:
    is_kept, cosigned = Kept(), list[Checkpoint]()
    for old, new, shown, proved in requests:
        for since in (old, is_kept.size):
            content = written_request(since, HISTORIES[proved].proof(since, new), NOTES[shown, new])
            try:
                submission = read_submission(content, LOGS)
                check_submission(submission, is_kept)
            except NotCosigned:
                continue
            cosigned.append(submission.checkpoint)
            is_kept = Kept(new, submission.checkpoint.root)
    assert is_one_history(cosigned)
    assert all(one.size <= next_.size for one, next_ in pairwise(cosigned))


def sign(note: Note) -> Note:
    return COSIGNER.sign(note, 1)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(st.tuples(SIZES, FORKS), min_size=1, max_size=6), min_size=2, max_size=4))
def test_nor_when_many_ask_at_once(askers: list[list[tuple[int, int]]]) -> None:
    together = threading.Barrier(len(askers))

    def ask(file: Path, requests: list[tuple[int, int]]) -> list[Checkpoint]:
        memory, cosigned = Memory(file), list[Checkpoint]()
        try:
            together.wait(10)
            for size, fork in requests:
                old = memory.kept(ORIGIN).size
                content = written_request(old, HISTORIES[fork].proof(old, size), NOTES[fork, size])
                with suppress(NotCosigned):
                    cosigned.append(Checkpoint.parse(memory.cosign(read_submission(content, LOGS), sign).text))
        finally:
            memory.close()
        return cosigned

    with TemporaryDirectory() as folder, ThreadPoolExecutor(len(askers)) as threads:
        file = Path(folder) / "memory"
        Memory(file).close()
        answered = list(threads.map(lambda requests: ask(file, requests), askers))
    assert is_one_history([one for cosigned in answered for one in cosigned])


# --- the memory


@pytest.fixture
def memories(tmp_path: Path) -> Iterator[list[Memory]]:
    """Two processes that have one memory, in effect."""
    both = [Memory(tmp_path / "memory"), Memory(tmp_path / "memory")]
    yield both
    for memory in both:
        memory.close()


def submission(log: Log, old: int, new: int) -> Submission:
    return read_submission(log.request(old, new), LOGS)


def test_what_is_kept_is_what_was_cosigned_last(memories: list[Memory]) -> None:
    one, other = memories
    assert one.kept(ORIGIN) == Kept()
    assert one.cosign(submission(LOG, 0, 5), sign) == sign(LOG.note(5))
    assert other.kept(ORIGIN) == kept(LOG, 5)
    assert other.cosign(submission(LOG, 5, 12), sign) == sign(LOG.note(12))
    assert one.kept(ORIGIN) == kept(LOG, 12)
    assert one.note(sha256(ORIGIN.encode()).hexdigest()) == str(sign(LOG.note(12))).encode()
    assert one.note(sha256(b"another").hexdigest()) is None


@pytest.mark.parametrize("quicker", [submission(LOG, 5, 9), submission(FORK, 5, 14)])
def test_of_two_at_once_one_is_told_that_it_comes_late(memories: list[Memory], quicker: Submission) -> None:
    one, other = memories
    one.cosign(submission(LOG, 0, 5), sign)

    def sign_slowly(note: Note) -> Note:
        other.cosign(quicker, sign)
        return sign(note)

    with pytest.raises(NotCosigned) as refused:
        one.cosign(submission(LOG, 5, 12), sign_slowly)
    assert (refused.value.status, refused.value.text) == (409, f"{quicker.checkpoint.size}\n")
    assert one.kept(ORIGIN).root == quicker.checkpoint.root


def test_of_two_first_ones_too(memories: list[Memory]) -> None:
    one, other = memories

    def sign_slowly(note: Note) -> Note:
        other.cosign(submission(FORK, 0, 12), sign)
        return sign(note)

    with pytest.raises(NotCosigned):
        one.cosign(submission(LOG, 0, 12), sign_slowly)
    assert one.kept(ORIGIN) == kept(FORK, 12)


def test_a_commit_is_on_the_disk(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "memory")
    settings_of_sqlite = [
        memory._file.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
    ]
    memory.close()
    assert settings_of_sqlite == ["wal", 2]


def test_what_is_disputed_is_kept_as_evidence_once_and_changes_nothing(memories: list[Memory]) -> None:
    one, other = memories
    one.cosign(submission(LOG, 0, 12), sign)
    for _ in range(2):
        for content in (FORK.request(12, 12), FORK.request(12, 14), FORK.request(0, 12), LOG.request(0, 14)):
            with pytest.raises(NotCosigned):
                one.cosign(read_submission(content, LOGS), sign)
    assert set(other.disputed(ORIGIN)) == {str(FORK.note(12)).encode(), str(FORK.note(14)).encode()}
    assert one.kept(ORIGIN) == kept(LOG, 12)
