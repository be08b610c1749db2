#!/usr/bin/env python3
"""Verify ledger: an exported book is checked offline, by this one file and any Python from 3.9 on.

    python verify_ledger.py FOLDER --vkey VKEY [--kept NOTE]... [--witness VKEY... --quorum N] [--json]

VKEY is the log's public key as you were given it by somebody you trust; nothing in the folder is believed about keys.
NOTE is a checkpoint that you kept yourself: only by one can a history be told from another that was signed later.
What is checked, in this order, and what the program ends with where it is the first that does not hold:

    0 all is right        2 wrong words on the command line      3 all is right, but nobody's signature was checked
   10 manifest    the files are those that the manifest names     11 leaves      well formed, in their order, in time
   12 tiles       the hashes are those that were sealed           13 root        the tree is that of the checkpoint
   14 signature   the checkpoint is signed by a key you gave      15 witnesses   enough of them have seen it
   16 kept        a kept checkpoint is about this same history    17 truncated   a kept checkpoint is of a longer log
   20 versions    each stream counts 1, 2, 3                      21 entries     debits equal credits, amounts above 0
   22 balances    what the entries add up to is what is claimed   23 keys        one effect for one idempotency key
   24 periods     nothing takes effect in a closed month          25 approvals   two persons where two have to agree
   30 vectors     (only with --vectors FILE) this program answers the test vectors as it should
SPEC.md, beside this file, says what the bytes mean.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from array import array
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from hashlib import sha256, sha512
from struct import Struct, error
from typing import IO, Any

CODES = {
    "manifest": 10, "leaves": 11, "tiles": 12, "root": 13, "signature": 14, "witnesses": 15, "kept": 16,
    "truncated": 17, "versions": 20, "entries": 21, "balances": 22, "keys": 23, "periods": 24, "approvals": 25,
    "vectors": 30,
}  # fmt: skip
UNSIGNED = 3
FORMAT, PREFIX = "ledger-export/v1", b"ledger-leaf/v1\n"
BUNDLE, WIDTH, HEIGHT = 65536, 256, 8
_NUMBERS, _SHORT, _LONG, _ENTRY, _POSTING = Struct(">QQqH"), Struct(">H"), Struct(">I"), Struct(">qH"), Struct(">BQB")


class Broken(Exception):
    """What stands there cannot be read."""


class Report:
    """What was found: for each check the first position that is wrong."""

    def __init__(self) -> None:
        self.findings: dict[str, tuple[int | None, int | None, str]] = {}

    def found(self, check: str, words: str, position: int | None = None, until: int | None = None) -> None:
        """Something is wrong at this position, or from it until another one."""
        known = self.findings.get(check)
        if known is None or (position is not None and (known[0] is None or position < known[0])):
            self.findings[check] = (position, until, words)

    def place(self) -> tuple[int | None, int | None]:
        """Where it is wrong: at an event, or somewhere between two."""
        inner = [self.findings[check] for check in ("manifest", "leaves", "tiles") if check in self.findings]
        # These three are about the same bytes: one of them may know better where.
        exact = [at for at, end, _ in inner if at is not None and end in (None, at)]
        if exact:
            return min(exact), None
        for check in sorted(self.findings, key=CODES.__getitem__):
            position, until, _ = self.findings[check]
            if position is not None:
                return position, until
        return None, None

    def first(self) -> str | None:
        """The check that says it all: the first, in their order, that does not hold."""
        return min(self.findings, key=CODES.__getitem__) if self.findings else None


# --- Ed25519 (RFC 8032), only to verify

P, Q = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
Point = tuple[int, int, int, int]


def _add(a: Point, b: Point) -> Point:
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(number: int, point: Point) -> Point:
    found: Point = (0, 1, 1, 0)
    while number:
        if number & 1:
            found = _add(found, point)
        point, number = _add(point, point), number >> 1
    return found


def _point(raw: bytes) -> Point | None:
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    x = x if x & 1 == sign else P - x
    return x, y, 1, x * y % P


_BASE = _point(bytes.fromhex("58" + "66" * 31))


def signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the owner of this key of 32 bytes has signed the message."""
    if len(public) != 32 or len(signature) != 64:
        return False
    a, r, s = _point(public), _point(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= Q or _BASE is None:
        return False
    k = int.from_bytes(sha512(signature[:32] + public + message).digest(), "little") % Q
    left, right = _times(s, _BASE), _add(r, _times(k, a))
    return not ((left[0] * right[2] - right[0] * left[2]) % P or (left[1] * right[2] - right[1] * left[2]) % P)


# --- signed notes and checkpoints (C2SP signed-note, tlog-checkpoint, tlog-cosignature)


def _packed(text: str) -> bytes:
    try:
        if len(text) % 4 == 0:
            return b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        pass
    raise Broken("that is no base64")


class Key:
    """Whose signature is believed: `name+id+base64`, the key's first byte 1 (Ed25519) or 4 (a witness's)."""

    def __init__(self, text: str) -> None:
        self.name, _, rest = text.strip().partition("+")
        key_id, _, packed = rest.partition("+")
        raw = _packed(packed)
        self.kind, self.public = raw[:1], raw[1:]
        self.id = sha256(self.name.encode() + b"\n" + raw).digest()[:4]
        if self.kind not in (b"\x01", b"\x04") or len(self.public) != 32 or self.id.hex() != key_id or not self.name:
            raise Broken("a key is written as name+id+base64 of an Ed25519 key")

    def has_signed(self, text: str, signature: bytes) -> bool:
        """Whether it signed this text, or as a witness its time with it."""
        if self.kind == b"\x01":
            return signed(self.public, text.encode(), signature)
        moment = int.from_bytes(signature[:8], "big")
        return signed(self.public, f"cosignature/v1\ntime {moment}\n{text}".encode(), signature[8:])


class Note:
    """A checkpoint (origin, size, root) and who signed it."""

    def __init__(self, content: bytes) -> None:
        try:
            body, empty, tail = content.decode().rpartition("\n\n")
        except UnicodeDecodeError:
            raise Broken("the note is not UTF-8") from None
        self.text = body + "\n"
        lines = self.text.split("\n")
        if not empty or not tail.endswith("\n") or len(lines) < 4:
            raise Broken("a checkpoint is three lines, an empty line and signatures")
        self.origin, size, root = lines[:3]
        if not (size.isascii() and size.isdigit() and len(size) < 20 and str(int(size)) == size and self.origin):
            raise Broken("a checkpoint says the log's name and size")
        self.size, self.root = int(size), _packed(root)
        if len(self.root) != 32:
            raise Broken("a root has 32 bytes")
        self.signatures: list[tuple[str, bytes]] = []
        for line in tail[:-1].split("\n"):
            mark, _, rest = line.partition(" ")
            name, space, packed = rest.partition(" ")
            if mark != "\u2014" or not space or not name:
                raise Broken("a signature is written as \u2014 name base64")
            self.signatures.append((name, _packed(packed)))

    def signers(self, keys: Sequence[Key]) -> set[str]:
        """Which of these keys have signed it; raises Broken where a signature in the name of one is wrong."""
        found: set[str] = set()
        for key in keys:
            for name, raw in self.signatures:
                if name == key.name and raw[:4] == key.id:
                    if not key.has_signed(self.text, raw[4:]):
                        raise Broken(f"the signature of {key.name} is wrong")
                    found.add(str(key.public.hex()))
                    break
        return found


# --- the tree (RFC 6962, C2SP tlog-tiles)


def node(left: bytes, right: bytes) -> bytes:
    """The hash of what stands above two hashes."""
    return sha256(b"\x01" + left + right).digest()


def perfect(hashes: Sequence[bytes]) -> bytes:
    """The root of 1, 2, 4, 8, ... hashes."""
    while len(hashes) > 1:
        pairs = iter(hashes)
        hashes = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs)]
    return hashes[0]


def tile_path(level: int, index: int, width: int = WIDTH) -> str:
    """Where a tile of hashes is found."""
    groups = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03}")
    return f"tile/{level}/{'/'.join(groups)}" + (f".p/{width}" if width < WIDTH else "")


class Tree:
    """The log's tree as it grows, held tile by tile against the hashes that were sealed."""

    def __init__(self, sealed: Any) -> None:
        self.size, self.done = 0, [0]
        self.levels: list[list[bytes]] = [[]]
        self._sealed = sealed

    def add(self, leaf: bytes) -> None:
        """One more hash of a leaf."""
        self.size += 1
        self.levels[0].append(leaf)
        level = 0
        while len(self.levels[level]) == WIDTH:
            root = perfect(self.levels[level])
            self._whole(level)
            if level + 1 == len(self.levels):
                self.levels.append([])
                self.done.append(0)
            self.levels[level + 1].append(root)
            level += 1

    def _whole(self, level: int) -> None:
        self._sealed(level, self.done[level], self.levels[level], WIDTH)
        self.levels[level] = []
        self.done[level] += 1

    def end(self, size: int) -> None:
        """Look at the tiles of the right edge too, as a log of this size has them."""
        for level, hashes in enumerate(self.levels):
            width = min(WIDTH, (size >> HEIGHT * level) - self.done[level] * WIDTH)
            if hashes and width >= len(hashes):
                self._sealed(level, self.done[level], hashes, width)

    def root(self) -> bytes:
        """The root of what was added so far."""
        peaks: list[bytes] = []
        for hashes in reversed(self.levels):
            at, width = 0, WIDTH
            while at < len(hashes):
                if at + width <= len(hashes):
                    peaks.append(perfect(hashes[at : at + width]))
                    at += width
                width >>= 1
        if not peaks:
            return sha256().digest()
        found = peaks.pop()
        while peaks:
            found = node(peaks.pop(), found)
        return found


def proved(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether this hash of a leaf stands at this index (from 0) of the log with this root (RFC 9162, 2.1.3.2)."""
    at, last, found = index, size - 1, leaf
    if not 0 <= index < size:
        return False
    for step in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node(step, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node(found, step)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def goes_on(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Whether the log with the new root and size goes on from the one with the old (RFC 9162, 2.1.4.2)."""
    if not 0 <= old <= new:
        return False
    if old in (0, new):
        return not proof and (old == 0 or old_root == new_root)
    steps = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not proof:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    was = now = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            was, now = node(step, was), node(step, now)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            now = node(now, step)
        at, last = at >> 1, last >> 1
    return last == 0 and was == old_root and now == new_root


# --- the leaves

Posting = tuple[int, int, bytes, bytes]


class Leaf:
    """An event as it was sealed: where it stands, and what it posted."""

    __slots__ = ("effective", "entry", "metadata", "position", "recorded", "state", "stream", "topic", "version")

    def __init__(self, raw: bytes) -> None:
        try:
            if not raw.startswith(PREFIX):
                raise Broken("it does not begin as a leaf")
            self.position, self.version, self.recorded, length = _NUMBERS.unpack_from(raw, 15)
            at = 41 + length
            self.stream = raw[41:at]
            end = at + 2 + _SHORT.unpack_from(raw, at)[0]
            self.topic = raw[at + 2 : end]
            at = end + 4 + _LONG.unpack_from(raw, end)[0]
            self.metadata = raw[end + 4 : at]
            end = at + 4 + _LONG.unpack_from(raw, at)[0]
            self.state = raw[at + 4 : end]
            at = end + 4
            if at + _LONG.unpack_from(raw, end)[0] != len(raw):
                raise Broken("it is longer or shorter than it says")
            self.entry = raw[at:]
        except error:
            raise Broken("it is shorter than it says") from None
        if not (0 <= self.recorded < _LAST and self.stream and self.topic):
            raise Broken("it has no stream, no topic or no time")

    def postings(self) -> list[Posting]:
        """What it posted: side (0 debit, 1 credit), amount, currency, account; and `effective` is known."""
        entry, found = self.entry, []
        try:
            self.effective, count = _ENTRY.unpack_from(entry)
            at = 10
            for _ in range(count):
                side, amount, length = _POSTING.unpack_from(entry, at)
                middle = at + 10 + length
                at = middle + 2 + _SHORT.unpack_from(entry, middle)[0]
                found.append((side, amount, entry[middle - length : middle], entry[middle + 2 : at]))
        except error:
            raise Broken("its entry is shorter than it says") from None
        if at != len(entry) or not -_LAST < self.effective < _LAST:
            raise Broken("its entry is longer or shorter than it says, or has no time")
        return found


def _no(constant: str) -> None:
    raise ValueError(constant)


_OBJECT = json.JSONDecoder(parse_constant=_no).decode
_DAY = 86_400_000_000
_LAST = 2_932_896 * _DAY  # the year 9999: no leaf has a time behind it, nor as far before 1970


def leaves_of(file: IO[bytes], hashed: Any) -> Iterator[bytes]:
    """The leaves of a file of them, each behind its length; raises Broken where it ends within one."""
    rest = b""
    while True:
        chunk = file.read(1 << 20)
        if not chunk:
            break
        hashed.update(chunk)
        rest += chunk
        at, end = 0, len(rest)
        while at + 4 <= end:
            stop = at + 4 + _LONG.unpack_from(rest, at)[0]
            if stop > end:
                break
            yield rest[at + 4 : stop]
            at = stop
        rest = rest[at:]
    if rest:
        raise Broken("the file ends within a leaf")


class Names:
    """Names, each time with its position and a number: a million of them in 25 MB, as salted hashes of 64 bits.

    Another run takes another salt: that two names meet by chance, once in 30 million runs, would not happen twice.
    """

    def __init__(self) -> None:
        self._salt = secrets.token_bytes(16)
        self._parts = [array("Q") for _ in range(256)]

    def add(self, name: bytes, position: int, number: int = 0) -> None:
        """Once more this name."""
        digest = sha256(self._salt + name).digest()
        self._parts[digest[0]].extend((int.from_bytes(digest[1:9], "big"), position, number))

    def counted(self) -> Iterator[tuple[int, int, int]]:
        """Each (the how manieth of its name, position, number): all of one name behind each other, by position."""
        for part in self._parts:
            before, count = -1, 0
            for at in sorted(range(0, len(part), 3), key=part.__getitem__):
                count = count + 1 if part[at] == before else 1
                before = part[at]
                yield count, part[at + 1], part[at + 2]


class Account:
    """What an account is said to be, and what was posted to it: its turnover on both sides, in minor units."""

    __slots__ = ("currency", "is_open", "kind", "sides")

    def __init__(self, kind: str, currency: str) -> None:
        self.kind, self.currency, self.sides, self.is_open = kind, currency.encode(), [0, 0], False


class Books:
    """What the leaves say, one after the other, and whether that may be."""

    def __init__(self, chart: dict[bytes, Account], report: Report) -> None:
        self.accounts, self.report = chart, report
        self.position, self.recorded, self._key = 0, 0, ""
        self._versions, self._keys = Names(), Names()
        self._closed: set[str] = set()
        self._makers: dict[tuple[bytes, Any], tuple[Any, bool]] = {}
        self._requests: dict[bytes, tuple[Any, ...]] = {}
        self._approved: dict[str, str] = {}
        self._agreed: set[str] = set()
        self._policy: dict[str, Any] | None = None
        self._heeded = {topic.encode(): heed for topic, heed in HEEDED.items()}

    def take(self, raw: bytes) -> None:
        """The next leaf; raises Broken where nothing behind it can be believed."""
        leaf, found = Leaf(raw), self.report.found
        expected = self.position = self.position + 1
        if leaf.position != expected:
            raise Broken(f"it says that it is event {leaf.position:,}")
        if leaf.recorded < self.recorded:
            found("leaves", "recorded before the event in front of it", expected)
        self.recorded = leaf.recorded
        self._versions.add(leaf.stream, expected, leaf.version)
        try:
            metadata = _OBJECT(leaf.metadata.decode())
            key = metadata.get("key", "")
            if key and key != self._key:
                self._keys.add(key.encode(), expected)
            self._key = key
            heed = self._heeded.get(leaf.topic)
            if heed is not None:
                heed(self, leaf, _OBJECT(leaf.state.decode()), metadata)
        except (ValueError, LookupError, TypeError, AttributeError):
            raise Broken("its metadata, or its state, is not what its topic asks for") from None
        if leaf.entry:
            self._post(leaf, metadata)

    def _post(self, leaf: Leaf, metadata: dict[str, Any]) -> None:
        at, found = leaf.position, self.report.found
        sums: dict[bytes, int] = {}
        postings = leaf.postings()
        if len(postings) < 2:
            found("entries", f"an entry of {len(postings)} postings", at)
        for side, amount, currency, name in postings:
            if side > 1 or not amount:
                found("entries", "an amount that is not above 0, or on no side", at)
                continue
            sums[currency] = sums.get(currency, 0) + (-amount if side else amount)
            account = self.accounts.get(name)
            if account is None or account.currency != currency or not account.is_open:
                found("balances", f"posts to {_shown(name)}, which is no such account, or not yet", at)
            else:
                account.sides[side] += amount
        for currency, apart in sums.items():
            if apart:
                found("entries", f"debits and credits are {abs(apart):,} {_shown(currency)} apart", at)
        if leaf.effective > leaf.recorded:
            found("leaves", "takes effect after it was recorded", at)
        if self._closed:
            month = month_of(leaf.effective)
            if month in self._closed and not self._is_adjusting(leaf, month, metadata):
                found("periods", f"takes effect in {month}, which is closed", at)

    def opened(self, leaf: Leaf, state: dict[str, Any], metadata: dict[str, Any]) -> None:
        """An account, as it is in the chart: from here on it is posted to."""
        account = self.accounts.get(state["id"].encode())
        if account is None or (account.kind, account.currency) != (state["kind"], state["currency"].encode()):
            self.report.found("balances", f"opens {state['id']}, which the chart has otherwise", leaf.position)
        else:
            account.is_open = True

    def closed(self, leaf: Leaf, state: dict[str, Any], metadata: dict[str, Any]) -> None:
        """A month is closed: nothing takes effect in it from here on, but what adjusts it with an approval."""
        if state.get("overridden"):
            self._is_approved(leaf, metadata, "periods.close")
        self._closed.add(state["period"])

    def reopened(self, leaf: Leaf, state: dict[str, Any], metadata: dict[str, Any]) -> None:
        """A month is open again."""
        self._is_approved(leaf, metadata, "periods.reopen")
        self._closed.discard(state["period"])

    def _is_adjusting(self, leaf: Leaf, month: str, metadata: dict[str, Any]) -> bool:
        kind = ADJUSTING.get(_shown(leaf.topic))
        if kind is None or self._approved.get(metadata.get("causation", "")) != kind:
            return False
        try:
            return bool(_OBJECT(leaf.state.decode())["adjusting"]["period"] == month)
        except (ValueError, LookupError, TypeError):
            return False

    def requested(self, leaf: Leaf, state: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Somebody asks for what a second person has to agree to."""
        kind, command = state["kind"], state["command"]
        digest = sha256(f"{kind}\n{command}".encode()).hexdigest()
        self._requests[leaf.stream] = (kind, digest, state["maker"], metadata.get("actor"))

    def approved(self, leaf: Leaf, state: dict[str, Any], metadata: dict[str, Any]) -> None:
        """A second person agrees to exactly that; what it causes is carried out."""
        kind, digest, maker, key = self._requests.pop(leaf.stream, (None, None, None, None))
        if (kind, digest, maker) != (state["kind"], state["digest"], state["maker"]) or kind is None:
            self.report.found("approvals", "agrees to what was not asked for", leaf.position)
        elif not state["checker"] or state["checker"] == maker or metadata.get("actor") == key:
            self.report.found("approvals", "was approved by whoever had asked for it", leaf.position)
        else:
            self._approved[f"{_shown(leaf.stream)}.{leaf.version}"] = kind

    def _is_approved(self, leaf: Leaf, metadata: dict[str, Any], kind: str) -> None:
        if self._approved.get(metadata.get("causation", "")) != kind:
            self.report.found("approvals", "was done without a second person", leaf.position)

    def policy(self, leaf: Leaf, state: dict[str, Any], metadata: dict[str, Any]) -> None:
        """What needs a second person from here on."""
        if self._policy is not None:
            self._is_approved(leaf, metadata, "approvals.change_policy")
        self._policy = state
        # Only now: to read every transfer would cost a book without a policy some time.
        self._heeded.update((topic.encode(), Books.guarded) for topic in GUARDED)

    def guarded(self, leaf: Leaf, state: dict[str, Any], metadata: dict[str, Any]) -> None:
        """What needs a second person where the policy of the book says so."""
        kind, needs_approval = GUARDED[_shown(leaf.topic)]
        # What two people have resolved so was approved with that.
        if needs_approval(self._policy or {}, state) and metadata.get("causation", "") not in self._agreed:
            self._is_approved(leaf, metadata, kind)

    def proposed(self, leaf: Leaf, state: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Somebody proposes what somebody else has to agree to."""
        self._makers[leaf.stream, state["number"]] = state["maker"], state.get("four_eyes", True)

    def carried_out(self, leaf: Leaf, state: dict[str, Any], metadata: dict[str, Any]) -> None:
        """What was proposed is done: another one has agreed."""
        maker, four_eyes = self._makers.get((leaf.stream, state["number"]), (None, True))
        if maker is None or maker != state["maker"]:
            self.report.found("approvals", "carries out what nobody had proposed", leaf.position)
        elif four_eyes and (not state["checker"] or state["checker"] == maker):
            self.report.found("approvals", "was approved by whoever had proposed it", leaf.position)
        elif state["checker"] != maker:
            self._agreed.add(f"{_shown(leaf.stream)}.{leaf.version}")

    def payout_created(self, leaf: Leaf, state: dict[str, Any], metadata: dict[str, Any]) -> None:
        """A payout that may need a second person."""
        if state.get("needs_approval"):
            self._makers[leaf.stream, "payout"] = _who(metadata), True
        elif exceeds((self._policy or {}).get("payouts"), state["currency"], state["amount"]):
            self.report.found("approvals", "asks for no second person, and the policy does", leaf.position)

    def payout_approved(self, leaf: Leaf, state: dict[str, Any], metadata: dict[str, Any]) -> None:
        """A second person has agreed to a payout."""
        maker, _ = self._makers.pop((leaf.stream, "payout"), (None, True))
        if maker is None or set(maker) & set(_who(metadata)):
            self.report.found("approvals", "was approved by whoever had asked for it", leaf.position)

    def payout_reserved(self, leaf: Leaf, state: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Money is set aside for a payout."""
        if (leaf.stream, "payout") in self._makers:
            self.report.found("approvals", "is paid out, and nobody has agreed", leaf.position)

    def count(self) -> None:
        """What can be said of the streams and the keys, as far as was read."""
        found = self.report.found
        for count, position, version in self._versions.counted():
            if count != version:
                found("versions", f"is number {count:,} of its stream and says {version:,}", position)
        for count, position, _ in self._keys.counted():
            if count > 1:
                found("keys", "an idempotency key has an effect for the second time", position)

    def end(self, claimed: dict[str, list[int]], claimed_totals: dict[str, list[int]]) -> None:
        """What can be said of the balances once all was read."""
        found = self.report.found
        for name in sorted(claimed.keys() - {_shown(raw) for raw in self.accounts}):
            found("balances", f"{name} has a balance and is not in the chart")
        for raw, account in self.accounts.items():
            stated = claimed.get(_shown(raw), [0, 0])
            if stated != account.sides:
                found("balances", f"{_shown(raw)} is said to have moved {stated}, its entries say {account.sides}")
        if _moved(claimed_totals) != _moved(self.totals()):
            found("balances", "the trial balance is not the sum of the accounts")
        for currency, sides in self.totals().items():
            if sides[0] != sides[1]:
                found("balances", f"the trial balance in {currency} is {sides[0] - sides[1]:,}")

    def totals(self) -> dict[str, list[int]]:
        """The turnover of all accounts: debits and credits in each currency."""
        found: dict[str, list[int]] = {}
        for account in self.accounts.values():
            sides = found.setdefault(_shown(account.currency), [0, 0])
            sides[0] += account.sides[0]
            sides[1] += account.sides[1]
        return found


def _who(metadata: dict[str, Any]) -> tuple[Any, Any]:
    """The key that spoke, and the person in whose hands it is, where that is known."""
    return metadata.get("actor"), metadata.get("person") or metadata.get("actor")


def exceeds(limits: dict[str, int] | None, currency: str, amount: int) -> bool:
    """Whether a policy asks for a second person: a currency that it does not name from the first unit, None never."""
    return limits is not None and amount > limits.get(currency, 0)


def _posts_much(policy: dict[str, Any], state: dict[str, Any]) -> bool:
    debits: dict[str, int] = {}
    for one in state["postings"]:
        if one["direction"] == "debit":
            debits[one["currency"]] = debits.get(one["currency"], 0) + one["amount"]
    return not state.get("carries") and any(exceeds(policy.get("entries"), *pair) for pair in debits.items())


def _moves_much(policy: dict[str, Any], state: dict[str, Any]) -> bool:
    return exceeds(policy.get("transfers"), state["currency"], state["amount"])


# By topic: which command's approval it takes, and whether it does.
GUARDED: dict[str, tuple[str, Callable[[dict[str, Any], dict[str, Any]], Any]]] = {
    "transfers.posted.v1": ("transfers.post", _moves_much),
    "holds.placed.v1": ("holds.place", _moves_much),
    "entries.posted.v1": ("entries.post", _posts_much),
    "entries.reversal_posted.v1": ("entries.reverse", lambda policy, state: policy.get("reversals")),
    "accounts.limits_changed.v1": (
        "accounts.change_limits",
        lambda policy, state: policy.get("account_limits") and not state["id"].startswith("sys:"),
    ),
}
ADJUSTING = {topic: GUARDED[topic][0] for topic in ("entries.posted.v1", "entries.reversal_posted.v1")}
HEEDED = {
    "accounts.opened.v1": Books.opened,
    "periods.closed.v1": Books.closed,
    "periods.reopened.v1": Books.reopened,
    "approvals.policy_changed.v1": Books.policy,
    "approvals.requested.v1": Books.requested,
    "approvals.approved.v1": Books.approved,
    "merchant_losses.proposed.v1": Books.proposed,
    "merchant_losses.written_off.v1": Books.carried_out,
    "credit_lines.loss_proposed.v1": Books.proposed,
    "credit_lines.impaired.v1": Books.carried_out,
    "credit_lines.written_off.v1": Books.carried_out,
    "breaks.proposed.v1": Books.proposed,
    "breaks.resolved.v1": Books.carried_out,
    "payouts.created.v1": Books.payout_created,
    "payouts.approved.v1": Books.payout_approved,
    "payouts.reserved.v1": Books.payout_reserved,
}


def month_of(moment: int) -> str:
    """The month (UTC) of a time in µs since 1970, as 2026-03."""
    return date.fromordinal(719_163 + moment // _DAY).isoformat()[:7]


def _sides(claimed: dict[str, list[str]]) -> dict[str, list[int]]:
    if not all(len(sides) == 2 and all(one.isascii() and one.isdigit() for one in sides) for sides in claimed.values()):
        raise Broken("a balance is two decimal numbers")
    return {name: [int(one) for one in sides] for name, sides in claimed.items()}


def _moved(totals: dict[str, list[int]]) -> dict[str, list[int]]:
    return {currency: sides for currency, sides in totals.items() if any(sides)}


def _shown(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


# --- an export


class Export:
    """A folder with a book in it, as far as it was checked."""

    def __init__(self, folder: str, report: Report) -> None:
        self.folder, self.report = folder, report
        self.size, self.root, self.kept, self.witnesses, self.unsigned = 0, b"", 0, 0, False
        self.totals: dict[str, list[int]] = {}
        self.files: dict[str, Any] = {}

    def check(self, keys: Sequence[Key], kept: Sequence[str], witnesses: Sequence[Key], quorum: int) -> None:
        """All there is to check; what is wrong is in the report."""
        found, self.unsigned = self.report.found, not keys
        try:
            manifest = json.loads(self._bytes("manifest.json"))
            if manifest["format"] != FORMAT:
                raise Broken(f"this is not {FORMAT}")
            self.files, size = manifest["files"], manifest["size"]
            if not isinstance(size, int) or size < 0 or not all(map(_is_inside, self.files)):
                raise Broken("a manifest has a size, and names files within the folder")
            others = {path: self._bytes(path) for path in ("checkpoint", "chart.json", "balances.json")}
            older = sorted(path for path in self.files if path.startswith("checkpoints/"))
            others.update((path, self._bytes(path)) for path in older)
            for path in self.files.keys() - others.keys():
                if not path.startswith(("entries/", "tile/")):
                    self._bytes(path)
            chart, claimed = json.loads(others["chart.json"])["accounts"], json.loads(others["balances.json"])
            books = Books({one["id"].encode(): Account(one["kind"], one["currency"]) for one in chart}, self.report)
            balances, totals = _sides(claimed["accounts"]), _sides(claimed["trial_balance"])
            if (claimed["size"], manifest["origin"]) != (size, Note(others["checkpoint"]).origin):
                raise Broken("it is not of one log and of one size")
        except OSError as missing:
            return found("manifest", f"the export is not whole: there is no {missing.filename}")
        except (Broken, ValueError, LookupError, TypeError, AttributeError) as wrong:
            return found("manifest", f"the export cannot be read: {wrong!r}")
        notes = self._notes(others, older, kept, keys, manifest["origin"])
        whole, roots = self._read(size, {note.size for _, note in notes}, books)
        books.count()
        if whole:
            books.end(balances, totals)
            self.totals = books.totals()
        self._judge(Note(others["checkpoint"]), manifest, notes, roots, whole)
        self._believe(Note(others["checkpoint"]), keys, witnesses, quorum)
        return None

    def _open(self, path: str) -> IO[bytes]:
        return open(f"{self.folder}/{path}", "rb")

    def _bytes(self, path: str) -> bytes:
        """What is in a file, held against the manifest; raises OSError, Broken."""
        with self._open(path) as file:
            content = file.read()
        if path != "manifest.json":
            self._is_as_said(path, len(content), sha256(content).hexdigest())
        return content

    def _is_as_said(self, path: str, size: int, hashed: str) -> None:
        said = self.files.get(path)
        if said != {"bytes": size, "sha256": hashed}:
            first, last = _held_in(path)
            self.report.found("manifest", f"{path} is not the file that the manifest names", first, last)

    def _read(self, size: int, wanted: set[int], books: Books) -> tuple[bool, dict[int, bytes]]:
        """Read all leaves: whether they could be read to the end, and the roots at the sizes that are asked for."""
        tree, whole, roots = Tree(self._sealed), True, {0: sha256().digest()}
        for number in range((size + BUNDLE - 1) // BUNDLE):
            path, last, hashed = f"entries/{number:06}.bin", min(size, (number + 1) * BUNDLE), sha256()
            try:
                with self._open(path) as file:
                    whole = whole and self._take(file, hashed, last, books, tree, wanted, roots)
                    for chunk in iter(lambda: file.read(1 << 20), b""):
                        hashed.update(chunk)
                    self._is_as_said(path, file.tell(), hashed.hexdigest())
            except OSError:
                whole = False
                self.report.found("manifest", f"the export is not whole: there is no {path}", *_held_in(path))
        self.size = tree.size
        tree.end(size)
        if whole:
            self.root = tree.root()
        return whole, roots

    def _take(
        self,
        file: IO[bytes],
        hashed: Any,
        last: int,
        books: Books,
        tree: Tree,
        wanted: set[int],
        roots: dict[int, bytes],
    ) -> bool:
        at = books.position
        try:
            for raw in leaves_of(file, hashed):
                at = books.position + 1
                if at > last:
                    raise Broken("one more than the manifest knows of")
                books.take(raw)
                tree.add(sha256(b"\x00" + raw).digest())
                if at in wanted:
                    roots[at] = tree.root()
            at = books.position + 1
            if at <= last:
                raise Broken("it is missing")
        except Broken as wrong:
            self.report.found("leaves", str(wrong), at)
            return False
        return True

    def _sealed(self, level: int, index: int, hashes: list[bytes], width: int) -> None:
        """Hold these hashes against the tile that was sealed; they are fewer where the leaves break off."""
        path, content = tile_path(level, index, width), b""
        try:
            content = self._bytes(path)
        except OSError:
            self.report.found("manifest", f"the export is not whole: there is no {path}", *_held_in(path))
        if content[: 32 * len(hashes)] != b"".join(hashes) or len(content) != 32 * width:
            wrong = (at for at, one in enumerate(hashes) if content[32 * at : 32 * at + 32] != one)
            first = (index * WIDTH + next(wrong, len(hashes) - 1)) << HEIGHT * level
            words = "is not what was sealed here" if level == 0 else f"{path} is not of the hashes below it"
            known, last = self.report.findings.get("tiles", (None,))[0], first + (1 << HEIGHT * level)
            # What is wrong at a leaf is wrong above it as well, and there it is only known less exactly.
            if known is None or not first < known <= last:
                self.report.found("tiles", words, first + 1, last)

    def _notes(
        self, others: dict[str, bytes], older: list[str], kept: Sequence[str], keys: Sequence[Key], origin: str
    ) -> list[tuple[str, Note]]:
        """The checkpoints of other days: those in the folder, and those that were kept."""
        found: list[tuple[str, Note]] = []
        for check, name in [("signature", path) for path in older] + [("kept", path) for path in kept]:
            try:
                if check == "kept":
                    with open(name, "rb") as file:
                        note = Note(file.read())
                else:
                    note = Note(others[name])
                if note.origin != origin:
                    raise Broken(f"it is of another log: {note.origin}")
                if not keys or note.signers([key for key in keys if key.name == origin]):
                    found.append((name if check == "kept" else "", note))
                elif check == "kept":
                    raise Broken("no key that you gave has signed it")
                # An older one in the folder may be signed by an older key: it says nothing, as if it were not there.
            except (Broken, OSError) as wrong:
                self.report.found(check, f"{name}: {wrong}")
        return found

    def _judge(
        self, head: Note, manifest: dict[str, Any], notes: list[tuple[str, Note]], roots: dict[int, bytes], whole: bool
    ) -> None:
        """Hold the tree against the checkpoint of the export, and those of other days."""
        found, size = self.report.found, manifest["size"]
        right = {note.size for _, note in notes if roots.get(note.size) == note.root}
        wrong = {note.size for _, note in notes if note.size in roots and roots[note.size] != note.root}
        self.kept = sum(bool(name) and note.size in right for name, note in notes)
        until = min(wrong, default=max(size, head.size))
        since = max((one for one in right if one < until), default=0) + 1
        if wrong:
            names = ", ".join(sorted(name or "the export" for name, note in notes if note.size == until))
            found("kept", f"history was changed since the checkpoint of size {until:,} ({names})", since, until)
        longest = max((note.size for _, note in notes), default=0)
        if longest > size:
            words = f"a checkpoint of {longest:,} events is known, and here are {size:,}"
            found("truncated", words, max(right, default=0) + 1, longest)
        if whole and head.root == self.root and manifest["root"] != self.root.hex():
            found("manifest", "its root is not that of the checkpoint")
        if head.size != size:
            found("root", f"the checkpoint is of {head.size:,} events, and here are {size:,}", since, until)
        elif whole and head.root != self.root:
            found("root", "the leaves are not those of the checkpoint", since, until)
        # A file is not the one that the manifest names: which of the events in it is not?
        position, last, words = self.report.findings.get("manifest", (None, None, ""))
        inside = [self.report.findings[check][0] or 0 for check in ("leaves", "tiles") if check in self.report.findings]
        inside = [at for at in inside if position is not None and position <= at <= (last or position)]
        if inside:
            self.report.findings["manifest"] = (min(inside), None, words)

    def _believe(self, head: Note, keys: Sequence[Key], witnesses: Sequence[Key], quorum: int) -> None:
        """Who has signed the checkpoint."""
        try:
            if keys and not head.signers([key for key in keys if key.name == head.origin]):
                raise Broken("no key that you gave has signed the checkpoint")
        except Broken as wrong:
            self.report.found("signature", str(wrong))
        try:
            self.witnesses = len(head.signers(witnesses))
            if self.witnesses < quorum:
                raise Broken(f"{self.witnesses} of {quorum} witnesses have signed the checkpoint")
        except Broken as wrong:
            self.report.found("witnesses", str(wrong))


def _held_in(path: str) -> tuple[int | None, int | None]:
    """The positions that a file is about."""
    if not path.startswith("entries/"):
        return None, None
    number = int(path[8:14])
    return number * BUNDLE + 1, (number + 1) * BUNDLE


def _is_inside(path: str) -> bool:
    return not ({"", ".", ".."} & {*path.split("/")} or "\\" in path or ":" in path)


# --- the program


def verify(
    folder: str, vkeys: Sequence[str] = (), kept: Sequence[str] = (), witnesses: Sequence[str] = (), quorum: int = -1
) -> dict[str, Any]:
    """What is found in an export, as `--json` tells it; raises Broken for a key that is none."""
    report = Report()
    export = Export(folder, report)
    keys, others = [Key(text) for text in vkeys], [Key(text) for text in witnesses]
    export.check(keys, kept, others, len(others) if quorum < 0 else quorum)
    first = report.first()
    words = report.findings[first][2] if first else ""
    position, until = report.place()
    return {
        "ok": first is None,
        "exit": CODES[first] if first else UNSIGNED if export.unsigned else 0,
        "check": first,
        "position": position,
        "until": until,
        "words": words,
        "size": export.size,
        "root": export.root.hex(),
        "trial_balance": {currency: str(sides[0] - sides[1]) for currency, sides in sorted(export.totals.items())},
        "kept": export.kept,
        "witnesses": export.witnesses,
        "signature_checked": not export.unsigned,
        "findings": [
            {"check": check, "exit": CODES[check], "position": at, "until": end, "words": told}
            for check, (at, end, told) in sorted(report.findings.items(), key=lambda item: CODES[item[0]])
        ],
    }


def told(found: dict[str, Any]) -> str:
    """The same in words."""
    lines = []
    for one in found["findings"]:
        until = f" to {one['until']:,}" if one["until"] not in (None, one["position"]) else ""
        where = f" at event {one['position']:,}{until}" if one["position"] is not None else ""
        lines.append(f"FAILED {one['check']} ({one['exit']}){where}: {one['words']}")
    if found["ok"]:
        balance = " ".join(f"{currency} {apart}" for currency, apart in found["trial_balance"].items()) or "of nothing"
        lines.append(
            f"OK {found['size']:,} events, size {found['size']:,}, root {found['root']}, trial balance {balance}, "
            f"{found['kept']} kept checkpoints consistent, {found['witnesses']} witnesses"
        )
    if not found["signature_checked"]:
        lines.append("NOBODY'S SIGNATURE WAS CHECKED: say with --vkey whom you believe, and not what this folder says")
    return "\n".join(lines)


def check_vectors(vectors: dict[str, Any]) -> list[str]:
    """The test vectors that this program answers otherwise."""
    wrong: list[str] = []

    def ask(kind: str, number: int, one: dict[str, Any], answer: Any) -> None:
        if answer != one["answer"]:
            wrong.append(f"{kind} {number}: {answer!r} instead of {one['answer']!r}")

    for number, one in enumerate(vectors["leaves"]):
        raw = bytes.fromhex(one["preimage"])
        ask("leaves", number, one, _leaf_told(raw))
    for number, one in enumerate(vectors["roots"]):
        tree = Tree(lambda *tile: None)
        for at in range(one["size"]):
            tree.add(sha256(b"\x00" + str(at).encode()).digest())
        ask("roots", number, one, tree.root().hex())
    for number, one in enumerate(vectors["tiles"]):
        ask("tiles", number, one, tile_path(one["level"], one["index"], one["width"]))
    for number, one in enumerate(vectors["inclusion"]):
        leaf, root, *proof = map(bytes.fromhex, (one["leaf"], one["root"], *one["proof"]))
        ask("inclusion", number, one, proved(leaf, one["index"], one["size"], proof, root))
    for number, one in enumerate(vectors["consistency"]):
        old, new, *proof = map(bytes.fromhex, (one["old_root"], one["new_root"], *one["proof"]))
        ask("consistency", number, one, goes_on(one["old"], one["new"], proof, old, new))
    for number, one in enumerate(vectors["notes"]):
        ask("notes", number, one, _signers_told(one["note"], one["keys"]))
    return wrong


def _leaf_told(raw: bytes) -> Any:
    try:
        leaf = Leaf(raw)
        lines = leaf.postings() if leaf.entry else []
    except Broken:
        return None
    postings = [[side, str(amount), _shown(currency), _shown(account)] for side, amount, currency, account in lines]
    numbers = [leaf.position, leaf.version, leaf.recorded] + ([leaf.effective] if lines else [])
    texts = [_shown(one) for one in (leaf.stream, leaf.topic, leaf.metadata, leaf.state)]
    return [sha256(b"\x00" + raw).hexdigest(), [str(one) for one in numbers], texts, postings]


def _signers_told(note: str, keys: Sequence[str]) -> Any:
    try:
        read = Note(note.encode())
        return [read.origin, str(read.size), read.root.hex(), len(read.signers([Key(key) for key in keys]))]
    except Broken:
        return None


def main(words: Sequence[str] | None = None) -> int:
    """The command line; what it ends with."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="FOLDER", nargs="?", help="the export")
    parser.add_argument("--vkey", action="append", default=[], help="the log's public key, from somebody you trust")
    parser.add_argument("--kept", action="append", default=[], help="a file with a checkpoint that you kept")
    parser.add_argument("--witness", action="append", default=[], help="the public key of a witness you trust")
    parser.add_argument("--quorum", type=int, default=-1, help="how many witnesses are enough; all, if not given")
    parser.add_argument("--vectors", help="check this program instead, by a file of test vectors")
    parser.add_argument("--json", action="store_true", help="answer with one JSON object")
    asked = parser.parse_args(words)
    if asked.vectors:
        with open(asked.vectors, "rb") as file:
            wrong = check_vectors(json.load(file))
        sys.stdout.write("\n".join(wrong or ["OK the vectors are answered as they should be"]) + "\n")
        return CODES["vectors"] if wrong else 0
    if asked.folder is None:
        parser.error("which FOLDER?")
    try:
        found = verify(asked.folder, asked.vkey, asked.kept, asked.witness, asked.quorum)
    except Broken as wrong_key:
        parser.error(str(wrong_key))
    sys.stdout.write((json.dumps(found) if asked.json else told(found)) + "\n")
    return int(found["exit"])


if __name__ == "__main__":
    sys.exit(main())
