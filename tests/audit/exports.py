"""Exports without a database: small books as folders, and whoever has a reason to change them."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from ledger.accounts import Kind
from ledger.audit.checkpoint import Checkpoint
from ledger.audit.export_folder import MANIFEST, ExportFolder, ListedAccount
from ledger.audit.leaf import StoredEvent, leaf_of, sealed_entry
from ledger.audit.merkle import Frontier, leaf_hash, node_hash
from ledger.audit.signed_note import Note, Signer
from ledger.audit.standalone import verify_ledger
from ledger.audit.tiles import WIDTH, tiles_of
from ledger.events.accounts import AccountOpened, account_stream
from ledger.events.event import Event, Metadata
from ledger.events.transfers import TransferPosted
from ledger.store import codec
from tests.audit.vectors import ORIGIN, signer

START = datetime(2026, 3, 1, tzinfo=UTC)
OURS = signer(ORIGIN, 1)
ACCOUNTS = ("a", "b", "c", "d")
Noted = tuple[str, Event]


def stored(events: Iterable[Noted | tuple[str, Event, Metadata]]) -> list[StoredEvent]:
    """Events by stream, one a minute, as the log stores them."""
    found: list[StoredEvent] = []
    versions: dict[str, int] = {}
    for position, (stream, event, *given) in enumerate(events, 1):
        at = START + timedelta(minutes=position)
        versions[stream] = versions.get(stream, 0) + 1
        metadata = given[0] if given else Metadata("key_1", f"key-{position}", f"cor_{position}")
        content = msgspec.json.encode(metadata)
        entry = sealed_entry(event, at)
        one = StoredEvent(position, stream, versions[stream], event.topic, at, content, codec.encode(event), entry)
        found.append(one)
    return found


def opened(*names: str, currency: str = "EUR") -> list[Noted]:
    return [(account_stream(name), AccountOpened(name, name.upper(), "liability", currency)) for name in names]


def transfers(count: int) -> list[Noted]:
    """So many transfers among the accounts, all of other amounts."""
    pairs = [(one, other) for one in ACCOUNTS for other in ACCOUNTS if one != other]
    return [
        (f"ent_{number}", TransferPosted(*pairs[number % len(pairs)], 100 + number, "EUR", START))
        for number in range(count)
    ]


class FolderOf:
    """A sink that is a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def open(self, path: str) -> Iterator[BinaryIO]:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as writing:
            yield writing


def tiles_over(hashes: Sequence[bytes]) -> dict[str, bytes]:
    """Every tile of the tree over these hashes of leaves, by path."""
    levels = [list(hashes)]
    while len(levels[-1]) >= WIDTH:
        below = levels[-1]
        rows = [below[at : at + WIDTH] for at in range(0, len(below) // WIDTH * WIDTH, WIDTH)]
        for _ in range(8):
            rows = [[node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)] for row in rows]
        levels.append([row[0] for row in rows])
    return {
        tile.path: b"".join(levels[tile.level][tile.index * WIDTH : tile.index * WIDTH + tile.width])
        for tile in tiles_of(len(hashes))
    }


def note_of(leaves: Sequence[bytes], size: int, by: Signer = OURS, origin: str = ORIGIN) -> bytes:
    """The signed checkpoint of the first leaves."""
    frontier = Frontier().extended(map(leaf_hash, leaves[:size]))
    return str(by.sign(Note(str(Checkpoint(origin, size, frontier.root))))).encode()


def claims_of(leaves: Iterable[bytes], chart: Sequence[str]) -> dict[str, Any]:
    """The balances that these leaves come to, as an export claims them."""
    sides = {account: [0, 0] for account in chart}
    for raw in leaves:
        try:
            leaf = verify_ledger.Leaf(raw)
            for side, amount, _, account in leaf.postings() if leaf.entry else []:
                sides.setdefault(account.decode(), [0, 0])[side % 2] += amount
        except (verify_ledger.Broken, UnicodeDecodeError):
            continue
    totals = [str(sum(side[at] for side in sides.values())) for at in (0, 1)]
    accounts = {account: list(map(str, moved)) for account, moved in sides.items()}
    return {"accounts": accounts, "trial_balance": {"EUR": totals}}


class Book:
    """A book of leaves with what an export says of it."""

    def __init__(self, events: Sequence[StoredEvent], older: Sequence[int] = (), signed_by: Signer = OURS) -> None:
        self.leaves = [leaf_of(event) for event in events]
        self.events = list(events)
        decoded = (codec.decode(one.topic, one.state) for one in events if one.topic == AccountOpened.topic)
        self.chart = [
            ListedAccount(event.id, Kind(event.kind), event.currency, event.name)
            for event in decoded
            if isinstance(event, AccountOpened)
        ]
        self.older, self.signer = tuple(older), signed_by

    def write(self, folder: Path, claims: Mapping[str, Any] | None = None) -> Path:
        """The whole export."""
        writing = ExportFolder(FolderOf(folder))
        for _ in writing.write_leaves([self.events]):
            pass
        size = len(self.leaves)
        for path, content in tiles_over([leaf_hash(leaf) for leaf in self.leaves]).items():
            writing.write(path, content)
        writing.write("checkpoint", note_of(self.leaves, size, self.signer))
        for one in self.older:
            writing.write(f"checkpoints/{one}", note_of(self.leaves, one, self.signer))
        said = claims or claims_of(self.leaves, [account.id for account in self.chart])
        writing.write_json("chart.json", {"accounts": self.chart})
        writing.write_json("balances.json", {"size": size, **said})
        writing.write_json("policy.json", {})
        head = Checkpoint(ORIGIN, size, Frontier().extended(map(leaf_hash, self.leaves)).root)
        writing.end(head, "shop", START)
        return folder


def manifest_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
    return found


def checked(folder: Path, *, vkeys: Sequence[str] = (str(OURS.key),), kept: Sequence[Path] = ()) -> dict[str, Any]:
    """What the standalone verifier says, in this process."""
    return verify_ledger.verify(str(folder), vkeys, [str(one) for one in kept])


# --- who changes it


class Attacker:
    """Puts forged leaves into the place of the true ones."""

    def __init__(self, folder: Path, true: Book) -> None:
        self.folder, self.true = folder, true

    def files(self, leaves: list[bytes]) -> None:
        framed = b"".join(len(leaf).to_bytes(4, "big") + leaf for leaf in leaves)
        (self.folder / "entries" / "000000.bin").write_bytes(framed)

    def manifest(self, **also: Any) -> None:
        manifest = manifest_of(self.folder)
        paths = [file for file in self.folder.rglob("*") if file.is_file() and file.name != MANIFEST]
        contents = {file.relative_to(self.folder).as_posix(): file.read_bytes() for file in paths}
        manifest["files"] = {
            path: {"bytes": len(content), "sha256": sha256(content).hexdigest()} for path, content in contents.items()
        }
        (self.folder / MANIFEST).write_text(json.dumps(manifest | also))

    def tree(self, leaves: list[bytes], signed_by: Signer | None = None) -> None:
        hashes = [leaf_hash(leaf) for leaf in leaves]
        for file in [*self.folder.glob("tile/**/*"), *self.folder.glob("checkpoints/*")]:
            if file.is_file():
                file.unlink()
        for path, content in tiles_over(hashes).items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_bytes(content)
        claims = claims_of(leaves, [account.id for account in self.true.chart])
        (self.folder / "balances.json").write_text(json.dumps({"size": len(leaves), **claims}))
        if signed_by is not None:
            (self.folder / "checkpoint").write_bytes(note_of(leaves, len(leaves), signed_by))
        self.manifest(size=len(leaves), root=Frontier().extended(hashes).root.hex())


def numbered(events: Sequence[StoredEvent]) -> list[bytes]:
    """The leaves of a forged log whose positions, versions and times are without a hole."""
    versions: dict[str, int] = {}
    leaves, last = [], events[0].recorded_at
    for position, event in enumerate(events, 1):
        version = versions[event.stream] = versions.get(event.stream, 0) + 1
        last = max(last, event.recorded_at)
        leaves.append(leaf_of(msgspec.structs.replace(event, position=position, version=version, recorded_at=last)))
    return leaves
