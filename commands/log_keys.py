"""Log keys: the private keys that sign checkpoints of the logs, as files that only their owner may read.

One installation signs the logs of all its books with the same keys, each log under its own name. Every key in the
folder signs: while one follows another, both do.
"""

import os
from base64 import b64decode, b64encode
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.audit.signed_note import Note, Signer, VerifierKey

_SUFFIX = ".key"
_BEGUN = ".begun"


class LogKeyUnusable(Exception):
    """A key file that is not one, or that others may read. The message names the file."""


class LogKeys:
    """The keys in a folder; the first one is made when there is none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def private(self) -> dict[str, Ed25519PrivateKey]:
        """The keys by their names, the oldest first; raises LogKeyUnusable."""
        files = sorted(self._folder.glob(f"*{_SUFFIX}"))
        if not files:
            # The first one of all follows none that could announce it.
            self._make("0001", _SUFFIX)
            files = sorted(self._folder.glob(f"*{_SUFFIX}"))
        return {file.stem: _read(file) for file in files}

    def prepared(self) -> tuple[str, Ed25519PrivateKey]:
        """A key that does not sign yet, and its name: one that was begun, or a new one."""
        begun = sorted(self._folder.glob(f"*{_BEGUN}"))
        if begun:
            return begun[0].stem, _read(begun[0])
        taken = [int(file.stem) for file in self._folder.iterdir() if file.stem.isdigit()]
        name = f"{max(taken, default=0) + 1:04}"
        return name, _read(self._make(name, _BEGUN))

    def begin(self, name: str) -> None:
        """Sign with the key that was prepared."""
        (self._folder / f"{name}{_BEGUN}").rename(self._folder / f"{name}{_SUFFIX}")

    def _make(self, name: str, suffix: str) -> Path:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = b64encode(Ed25519PrivateKey.generate().private_bytes_raw()) + b"\n"
        # Written beside and put into its place whole: another process never reads half a key, and the first one stays.
        draft = self._folder / f".{name}.{os.getpid()}"
        draft.write_bytes(b"")
        draft.chmod(0o600)
        draft.write_bytes(content)
        file = self._folder / f"{name}{suffix}"
        try:
            os.link(draft, file)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return file

    def retire(self, name: str) -> None:
        """Sign with this key no more; its file is kept under another name."""
        file = self._folder / f"{name}{_SUFFIX}"
        file.rename(file.with_suffix(".retired"))

    def sign(self, origin: str, text: str) -> tuple[Note, list[VerifierKey]]:
        """The text signed by all keys, and their public halves under the name of this log."""
        note, keys = Note(text), list[VerifierKey]()
        for private in self.private().values():
            signer = Signer(origin, private)
            note = signer.sign(note)
            keys.append(signer.key)
        return note, keys


def _read(file: Path) -> Ed25519PrivateKey:
    if file.stat().st_mode & 0o077:
        raise LogKeyUnusable(f"{file} may be read by others: chmod 600 it")
    try:
        return Ed25519PrivateKey.from_private_bytes(b64decode(file.read_bytes(), validate=False))
    except ValueError:
        raise LogKeyUnusable(f"{file} holds no Ed25519 key") from None
