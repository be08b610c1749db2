"""Witness: what it answers when it is asked to cosign a checkpoint, as C2SP tlog-witness defines it.

request ─▶ of a log that it knows? ─▶ signed by it? ─▶ from the size that is kept? ─▶ proved to go on? ─▶ cosigned

For each log a witness keeps the last checkpoint that it cosigned, and cosigns none that does not go on from it. So two
checkpoints with its cosignature never tell two histories of one log, whoever asked for them and in whatever order.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping, Sequence

from msgspec import Struct

from ledger.audit.checkpoint import Checkpoint, EmptyLogInvalid
from ledger.audit.merkle import EMPTY_ROOT, HASH_BYTES
from ledger.audit.proofs import ProofInvalid, verify_consistency
from ledger.audit.signed_note import Note, NoteInvalid, VerifierKey, read_note, signature_of, verify_note

MOST_BYTES = 128 * 1024
"""No request is longer: a note of the longest, and a proof of the longest before it."""

SIZE_TYPE = "text/x.tlog.size"
_MOST_HASHES = 63
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)


class Kept(Struct, frozen=True):
    """The last checkpoint of a log that was cosigned; at the beginning the one of nothing."""

    size: int = 0
    root: bytes = EMPTY_ROOT


class Submission(Struct, frozen=True):
    """A checkpoint that its log has signed, and how it goes on from the size `old`; only the log's signatures."""

    old: int
    proof: tuple[bytes, ...]
    checkpoint: Checkpoint
    note: Note


class NotCosigned(Exception):
    """The answer to a request that is not granted: an HTTP status, and a text.

    `is_disputed`: the log has signed a checkpoint which is not, or was not shown to be, one history with what is kept.
    """

    def __init__(self, status: int, text: str, *, is_disputed: bool = False) -> None:
        super().__init__(text)
        self.status, self.text, self.is_disputed = status, text, is_disputed

    @property
    def media_type(self) -> str:
        """409 tells the size that is kept, and nothing else."""
        return SIZE_TYPE if self.status == 409 else "text/plain"


def read_submission(content: bytes, logs: Mapping[str, Sequence[VerifierKey]]) -> Submission:
    """What is asked for, by the log itself; raises NotCosigned with 400, 403, 404 or 422."""
    head, separator, tail = content.partition(b"\n\n")
    if not separator:
        raise NotCosigned(400, "behind the proof stand an empty line and a checkpoint")
    old, proof = _read_proof(head)
    try:
        note = read_note(tail)
    except NoteInvalid as error:
        raise NotCosigned(400, str(error)) from None
    keys = logs.get(note.text.partition("\n")[0])
    if keys is None:
        raise NotCosigned(404, "this log is not known here")
    try:
        signers = verify_note(note, keys)
    except NoteInvalid as error:
        raise NotCosigned(403, str(error)) from None
    try:
        checkpoint = Checkpoint.parse(note.text)
    except EmptyLogInvalid as error:
        raise NotCosigned(422, str(error), is_disputed=True) from None
    except NoteInvalid as error:
        raise NotCosigned(400, str(error)) from None
    if old > checkpoint.size:
        raise NotCosigned(400, "a log was never larger than it is")
    by_the_log = (signature_of(key, note) for key in signers)
    return Submission(old, proof, checkpoint, Note(note.text, tuple(one for one in by_the_log if one)))


def check_submission(submission: Submission, kept: Kept) -> None:
    """Returns if the checkpoint may be cosigned by whoever keeps this; raises NotCosigned with 409 or 422."""
    new = submission.checkpoint
    if submission.old != kept.size:
        is_other = new.size == kept.size and new.root != kept.root
        raise NotCosigned(409, f"{kept.size}\n", is_disputed=is_other)
    try:
        verify_consistency(kept.size, new.size, submission.proof, kept.root, new.root)
    except ProofInvalid as error:
        raise NotCosigned(422, str(error), is_disputed=True) from None


def written_request(old: int, proof: Sequence[bytes], note: bytes) -> bytes:
    """A request as it is sent: this signed note, which goes on from the size `old` as the proof shows."""
    return "".join((f"old {old}\n", *(f"{b64encode(one).decode()}\n" for one in proof), "\n")).encode() + note


def _read_proof(head: bytes) -> tuple[int, tuple[bytes, ...]]:
    first, *hashes = head.split(b"\n")
    match = _OLD.fullmatch(first.decode(errors="replace"))
    if match is None:
        raise NotCosigned(400, "the first line is old, a space, and a size")
    if len(hashes) > _MOST_HASHES:
        raise NotCosigned(400, f"a proof has at most {_MOST_HASHES} hashes")
    try:
        proof = tuple(b64decode(one, validate=True) for one in hashes)
    except NotBase64:
        raise NotCosigned(400, "a hash is base64") from None
    if any(len(one) != HASH_BYTES for one in proof):
        raise NotCosigned(400, f"a hash has {HASH_BYTES} bytes")
    return int(match[1]), proof
