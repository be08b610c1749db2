"""The standalone programs: they run alone, on old Pythons too, and the one in JavaScript says the same as the other."""

import ast
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

import ledger.audit.standalone
from ledger.audit.leaf import leaf_of
from ledger.audit.standalone import verify_ledger
from tests.audit import vectors
from tests.audit.exports import (
    ACCOUNTS,
    OURS,
    Attacker,
    Book,
    checked,
    manifest_of,
    note_of,
    numbered,
    opened,
    stored,
    transfers,
)
from tests.audit.judged_exports import TEN, Judged
from tests.audit.tampering import CLASSES

ROOM = Path(ledger.audit.standalone.__file__).parent
OLD_PYTHONS = ("python3.9", "python3.10", "python3.12", "python3.13")

Result = dict[str, Any]


# --- the program, alone


def alone(program: Path, folder: Path, *words: str, python: str = "") -> subprocess.CompletedProcess[str]:
    """Run where none of our packages can be found."""
    command = [python or sys.executable, "-I", str(program)] if program.suffix == ".py" else ["node", str(program)]
    return subprocess.run(
        [*command, str(folder), *words], capture_output=True, text=True, cwd=folder, env={"PATH": os.environ["PATH"]}
    )


def test_it_runs_by_itself_and_prints_one_line(shop: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_bytes(note_of(TEN, 4))
    done = alone(shop / "verify_ledger.py", shop, "--vkey", str(OURS.key), "--kept", str(kept))
    root = manifest_of(shop)["root"]
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"OK 10 events, size 10, root {root}, trial balance EUR 0, 1 kept checkpoints consistent, 0 witnesses\n"
    )
    assert alone(shop / "verify_ledger.py", shop).returncode == 3
    assert alone(shop / "verify_ledger.py", shop, "--vkey", "nonsense").returncode == 2
    assert alone(shop / "verify_ledger.py", shop, "--vectors", str(shop / "vectors.json")).returncode == 0
    told = json.loads(alone(shop / "verify_ledger.py", shop, "--json", "--vkey", str(OURS.key)).stdout)
    assert told == checked(shop)


def test_it_needs_nothing_but_the_standard_library_of_an_old_python() -> None:
    text = (ROOM / "verify_ledger.py").read_text()
    tree = ast.parse(text, feature_version=(3, 9))
    met = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    met |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in met} <= sys.stdlib_module_names
    assert not any(isinstance(node, ast.Match) for node in ast.walk(tree))


@pytest.mark.parametrize("python", OLD_PYTHONS)
def test_it_runs_on_other_pythons(python: str, shop: Path) -> None:
    path = shutil.which(python)
    if path is None or subprocess.run([path, "-c", ""], capture_output=True).returncode:
        pytest.skip(f"there is no {python} here")
    done = alone(shop / "verify_ledger.py", shop, "--json", "--vkey", str(OURS.key), python=path)
    assert json.loads(done.stdout) == checked(shop)


def test_every_code_is_told_in_the_words_of_help_and_in_the_specification() -> None:
    help_, spec = verify_ledger.__doc__ or "", (ROOM / "SPEC.md").read_text()
    for name, code in verify_ledger.CODES.items():
        assert f"{code} {name}" in help_
        assert f"| {code} | {name} |" in spec


# --- the vectors, and the second implementation


def test_the_vectors_are_those_that_our_own_code_answers() -> None:
    written = json.loads(vectors.FILE.read_bytes())
    assert written == json.loads(msgspec.json.encode(vectors.vectors())), "run: python -m tests.audit.vectors"


def test_every_vector_is_answered_and_a_wrong_one_is_named() -> None:
    known = vectors.vectors()
    assert verify_ledger.check_vectors(known) == []
    for kind, ones in known.items():
        assert any(one["answer"] in (None, False) for one in ones) or kind in ("roots", "tiles")
        spoilt = {**known, kind: [{**ones[0], "answer": "another"}]}
        assert len(verify_ledger.check_vectors(spoilt)) == 1


def node() -> str:
    path = shutil.which("node")
    if path is None:
        pytest.skip("there is no node here, which the second verifier is written for")
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.strip("v\n").partition(".")[0]) < 18:
        pytest.skip(f"this node is {version.strip()}, and the second verifier asks for 18")
    return path


_ASK_ALL = """
import { readFileSync } from 'node:fs';
const [program, asked] = JSON.parse(readFileSync(0));
const { verify } = await import(program);
process.stdout.write(JSON.stringify(asked.map((one) => verify(...one))));
"""


def by_node(asked: list[list[Any]]) -> list[Result]:
    """What the second implementation says to each (folder, keys, kept checkpoints)."""
    done = subprocess.run(
        [node(), "--input-type=module", "-e", _ASK_ALL],
        input=json.dumps([str(ROOM / "verify_ledger.mjs"), asked]),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found: list[Result] = json.loads(done.stdout)
    return found


def without_words(found: Result) -> Result:
    findings = [{name: value for name, value in one.items() if name != "words"} for one in found["findings"]]
    return {**found, "words": "", "findings": findings}


def test_both_answer_the_vectors() -> None:
    done = subprocess.run(
        [node(), ROOM / "verify_ledger.mjs", "--vectors", vectors.FILE], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "OK the vectors are answered as they should be\n"), done


def test_both_say_the_same_of_every_export_of_these_tables(exports: Judged) -> None:
    asked: list[list[Any]] = [[str(folder), [str(OURS.key)], []] for folder, _, _ in exports.values()]
    for name, theirs, (folder, *_) in zip(exports, by_node(asked), exports.values(), strict=True):
        assert without_words(theirs) == without_words(checked(folder)), name


def test_both_say_the_same_of_tampered_exports(tmp_path: Path) -> None:
    chance = random.Random("both")
    book = Book(stored([*opened(*ACCOUNTS), *transfers(20)]), older=(9,))
    kept = tmp_path / "kept"
    kept.write_bytes(note_of(book.leaves, 12))
    asked: list[list[Any]] = []
    for number, change in enumerate([*CLASSES.values()] * 4):
        leaves = numbered(change(chance, book.events))
        folder = book.write(tmp_path / str(number))
        attacker = Attacker(folder, book)
        attacker.files(leaves if number % 4 else [leaf_of(event) for event in change(chance, book.events)])
        if number % 4 == 1:
            attacker.manifest()
        elif number % 4 > 1:
            attacker.tree(leaves, OURS if number % 4 == 2 else None)
        asked.append([str(folder), [str(OURS.key)], [str(kept)]])
    ours = [verify_ledger.verify(folder, keys, kept_) for folder, keys, kept_ in asked]
    assert len({one["exit"] for one in ours}) >= 5
    for one, theirs in zip(ours, by_node(asked), strict=True):
        assert without_words(theirs) == without_words(one)


def test_the_second_one_runs_by_itself_too(shop: Path) -> None:
    node()
    program = shop / "verify_ledger.mjs"
    done = alone(program, shop, "--vkey", str(OURS.key))
    assert (done.returncode, done.stdout.startswith("OK 10 events")) == (0, True), done
    assert alone(program, shop).returncode == 3
    assert alone(program, shop, "--vkey", "nonsense").returncode == 2
    assert json.loads(alone(program, shop, "--json", "--vkey", str(OURS.key)).stdout)["exit"] == 0
