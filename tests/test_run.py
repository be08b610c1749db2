"""The one door, ./run: its words are few and mistakes are told."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*words: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "run", *words], cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("word", ["tset", "up", "--host", "-x"])
def test_an_unknown_word_is_told_with_the_known_ones(word: str) -> None:
    answer = run(word)
    assert answer.returncode == 2
    assert f"unknown word: {word}" in answer.stderr
    assert "./run test" in answer.stderr


def test_help_lists_every_word() -> None:
    answer = run("--help")
    assert answer.returncode == 0
    for word in ("demo", "test", "check", "bench", "long", "ledger"):
        assert f"./run {word}" in answer.stdout


def test_without_a_new_enough_python_it_says_what_is_missing() -> None:
    answer = run("test", LEDGER_PYTHON="python2.7")
    assert answer.returncode == 1
    assert "no Python >= 3.11" in answer.stderr


def test_it_works_from_any_folder_and_whatever_pythonpath_says(tmp_path: Path) -> None:
    (tmp_path / "pytest.py").write_text("raise SystemExit('the wrong pytest')")
    answer = run("test", "--version", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert answer.returncode == 0
    assert "pytest" in answer.stdout + answer.stderr
