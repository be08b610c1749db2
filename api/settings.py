"""Settings: what the environment tells the service, read once at its start."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from commands.processes.messengers import Kind
from commands.witnesses import Witness, parse_witnesses


def _named(*names: str) -> AliasChoices:
    return AliasChoices(*names)


class Settings(BaseSettings):
    """One attribute per variable; an empty one counts as not set. Secrets do not show themselves when printed."""

    # Whoever writes LEDGER_PORT= into a file of variables has not set it.
    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, populate_by_name=True, env_ignore_empty=True
    )

    database_url: SecretStr | None = Field(default=None, validation_alias=_named("DATABASE_URL"))
    """A PostgreSQL of version 15 to 18; the embedded one of the state directory when it is not set."""
    state: Path = Field(default=Path(".ledger"), validation_alias=_named("LEDGER_STATE"))
    """The folder of everything that outlives the process: the embedded database, the pepper, channel secrets."""
    host: str = Field(default="127.0.0.1", validation_alias=_named("LEDGER_HOST"))
    port: int = Field(default=8080, ge=0, le=65_535, validation_alias=_named("LEDGER_PORT"))
    """0 lets the system choose."""
    bootstrap_key: SecretStr | None = Field(default=None, validation_alias=_named("LEDGER_BOOTSTRAP_KEY"))
    """Becomes the administrator's key of the demo book when the database is empty."""
    pepper: SecretStr | None = Field(default=None, validation_alias=_named("LEDGER_PEPPER"))
    """What API keys are hashed with; the file `pepper` in the state directory when it is not set."""
    log_level: str = Field(
        default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", validation_alias=_named("LEDGER_LOG_LEVEL")
    )
    """DEBUG also logs each request that was answered well: the log of events tells of those already."""
    query_connections: int = Field(default=16, ge=1, le=100, validation_alias=_named("LEDGER_QUERY_CONNECTIONS"))
    """How many database connections answer reads at once; writers have their own."""
    webhook_networks: str = Field(default="", validation_alias=_named("LEDGER_WEBHOOK_NETWORKS"))
    """Where webhooks may go beside the public internet: networks such as `127.0.0.0/8`, separated by commas."""
    email_url: SecretStr | None = Field(default=None, validation_alias=_named("LEDGER_EMAIL_URL"))
    """How e-mail is sent: a URL of apprise with `{recipient}` in it; codes for e-mail wait when it is not set."""
    sms_url: SecretStr | None = Field(default=None, validation_alias=_named("LEDGER_SMS_URL"))
    """How text messages are sent, in the same way."""
    simulator_url: str | None = Field(default=None, validation_alias=_named("LEDGER_SIMULATOR_URL"))
    """Where the channel simulator answers, `http://host:port`; no card payments when it is not set."""

    log_name: str = Field(
        default="ledger.local", pattern=r"^[A-Za-z0-9._-]{1,100}$", validation_alias=_named("LEDGER_LOG_NAME")
    )
    """Under which name checkpoints of the logs are signed, with the book's behind it: a host name of yours."""

    witnesses: str = Field(default="", validation_alias=_named("LEDGER_WITNESSES"))
    """Who cosigns the checkpoints: `URL VKEY` of each, separated by commas, the key as the witness printed it.

    A witness has to know the keys of the logs (`GET /v1/audit/checkpoint` tells them), and is worth the more the less
    we have to say where it runs. What it signs is shown with the checkpoint.
    """

    @field_validator("witnesses")
    @classmethod
    def _are_witnesses(cls, text: str) -> str:
        parse_witnesses(text)
        return text

    @property
    def witness_list(self) -> list[Witness]:
        """Those of `witnesses` one by one."""
        return parse_witnesses(self.witnesses)

    @property
    def log_keys_folder(self) -> Path:
        """Holds the keys that checkpoints are signed with; only the worker needs them."""
        return self.state / "log_keys"

    @property
    def channels_folder(self) -> Path:
        """Holds what the channels and we sign with, and the books of the channel simulator."""
        return self.state / "channels"

    @property
    def webhook_network_list(self) -> list[str]:
        """The networks of `webhook_networks` one by one."""
        return [one.strip() for one in self.webhook_networks.split(",") if one.strip()]

    @property
    def message_urls(self) -> Mapping[Kind, str | None]:
        """How each kind of address is reached; empty or not set: not at all."""
        return {
            "email": self.email_url.get_secret_value() if self.email_url else None,
            "phone": self.sms_url.get_secret_value() if self.sms_url else None,
        }
