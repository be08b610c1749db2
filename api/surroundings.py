"""Surroundings: the database, the channels and their way back to us, as the settings name them.

Apart from the API, so that processes beside it need not load it: that would be a quarter of their memory.
"""

from psycopg import Connection, OperationalError

from api.settings import Settings
from commands.channels.registry import Registry, settings_of
from commands.policies.channels import CHANNELS
from ledger.store.connection import APPLICATION_ROLE, Database
from ledger.store.migrate import application_role


def database_at(url: str) -> Database:
    """The database at this URL, with the application's role where there is one; asks it, and believes in it if away."""
    try:
        with Connection.connect(url, autocommit=True, connect_timeout=2) as connection:
            return Database(url, role=application_role(connection))
    except OperationalError:
        return Database(url, role=APPLICATION_ROLE)


def channels_of(settings: Settings) -> Registry:
    """The channels that are configured; what we sign with is made by whoever comes first."""
    if settings.simulator_url is None:
        return Registry([])
    url, folder = settings.simulator_url, settings.channels_folder
    return Registry(settings_of(terms, f"{url}/{terms.name}", folder) for terms in CHANNELS if terms.simulated)


def callback_path(channel: str) -> str:
    """Where a channel calls back."""
    return f"/v1/channels/{channel}/callbacks"
