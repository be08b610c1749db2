"""Witnesses as processes of their own, and what is said to them over HTTP."""

import http.client
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from ledger.audit.signed_note import Note, VerifierKey, cosigned_at_s, read_note, signature_of, verify_note
from tests.forked import Forked


class Running:
    """A witness that runs: its process, its key and its address."""

    def __init__(self, process: Forked) -> None:
        self.process = process
        assert process.stdout is not None
        self.key = VerifierKey.parse(process.stdout.readline().strip())
        line = process.stdout.readline().strip()
        assert line.startswith("listening on http://127.0.0.1:"), line
        self.address = line.removeprefix("listening on ")

    def ask(self, content: bytes) -> tuple[int, str]:
        return post(self.address, content)

    def cosigned(self, note: Note, answered: str) -> int:
        """When this note was cosigned, in seconds since 1970; fails where it was not."""
        whole = read_note(str(note).encode() + answered.encode())
        verify_note(whole, [self.key])
        signature = signature_of(self.key, whole)
        assert signature is not None
        return cosigned_at_s(signature)


def exchange(address: str, method: str, path: str, content: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=20)
    try:
        connection.request(method, path, content)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def post(address: str, content: bytes) -> tuple[int, str]:
    status, headers, body = exchange(address, "POST", "/add-checkpoint", content)
    assert headers["content-type"].startswith("text/x.tlog.size" if status == 409 else "text/plain")
    return status, body.decode()


def start(folder: Path, *words: str, module: str = "api.witness", before: tuple[str, ...] = ()) -> Running:
    """A witness that lives in this folder; whoever starts it kills it."""
    process = Forked(module, *before, "--state", folder, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        return Running(process)
    except BaseException:
        process.kill()
        raise
