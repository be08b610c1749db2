"""Folder: where a witness lives: its private key, and its memory of what it cosigned, of which neither goes alone.

A key without its memory would sign a second history of a log whose first it has forgotten. So it does not sign at all:
whoever has lost one of the two begins a new witness, with a new key, in a new folder.
"""

import os
from base64 import b64decode, b64encode
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.witness.memory import Memory
from ledger.audit.signed_note import Cosigner, NoteInvalid

DEFAULT_NAME = "witness.local"
_KEY, _MEMORY = "witness.key", "witness.sqlite"


class FolderUnusable(Exception):
    """This folder is no witness's, and cannot become one. The message says what is wrong, and never what a key is."""


def open_folder(folder: Path, name: str | None) -> tuple[Cosigner, Memory]:
    """The witness that lives here, a new one in a folder that has none.

    `name`: of a new one; of one that is there it has to be its own. Raises FolderUnusable, OSError and sqlite3.Error.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key_file, memory_file = folder / _KEY, folder / _MEMORY
    if key_file.exists() and not memory_file.exists():
        raise FolderUnusable(f"{memory_file} is gone: a key that has forgotten what it signed must sign no more")
    # The memory first: a folder with a key alone is one whose memory was lost.
    memory = Memory(memory_file)
    try:
        known = memory.vkey()
        if known is not None and not key_file.exists():
            raise FolderUnusable(f"{key_file} is gone, and nobody else has it: begin a new witness in a new folder")
        key = _read(key_file) if key_file.exists() else _made(key_file)
        try:
            cosigner = Cosigner(name or (known or DEFAULT_NAME).partition("+")[0], key)
        except NoteInvalid as error:
            raise FolderUnusable(str(error)) from None
        if known is None:
            memory.belong_to(str(cosigner.key))
        elif known != str(cosigner.key):
            # What is signed does not tell the name: one key under two names would be two witnesses that are one.
            raise FolderUnusable(f"the witness of {folder} is {known}")
    except BaseException:
        memory.close()
        raise
    return cosigner, memory


def _made(file: Path) -> Ed25519PrivateKey:
    """A new key, in a file that only its owner may read, and on the disk before it signs anything."""
    key = Ed25519PrivateKey.generate()
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(b64encode(key.private_bytes_raw()) + b"\n")
        out.flush()
        os.fsync(out.fileno())
    try:
        os.link(draft, file)
    finally:
        draft.unlink()
    return key


def _read(file: Path) -> Ed25519PrivateKey:
    if file.stat().st_mode & 0o077:
        raise FolderUnusable(f"{file} may be read by others: chmod 600 it")
    try:
        return Ed25519PrivateKey.from_private_bytes(b64decode(file.read_bytes(), validate=False))
    except ValueError:
        raise FolderUnusable(f"{file} holds no Ed25519 key") from None
