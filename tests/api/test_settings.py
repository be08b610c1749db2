"""Settings: what the environment may say, and what an empty variable means."""

import pytest
from pydantic import AliasChoices, ValidationError

from api.settings import Settings

NAMES = [
    name
    for field in Settings.model_fields.values()
    if isinstance(field.validation_alias, AliasChoices)
    for name in field.validation_alias.choices
    if isinstance(name, str)
]


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_every_setting_has_a_variable_of_its_own() -> None:
    assert len(set(NAMES)) == len(Settings.model_fields)


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    unset = Settings()
    monkeypatch.setenv(name, "")
    assert Settings() == unset


def test_what_is_set_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_PORT", "0")
    monkeypatch.setenv("DATABASE_URL", "postgresql://ledger:secret@db.example/ledger")
    told = Settings()
    assert (told.port, "secret" in repr(told)) == (0, False)
    monkeypatch.setenv("LEDGER_PORT", "no port")
    with pytest.raises(ValidationError, match="LEDGER_PORT"):
        Settings()
