"""Surroundings: the database, the channels and their way back to us, as the settings name them.

Apart from the API, so that processes beside it need not load it: that would be a quarter of their memory.
"""

import gc

from psycopg import Connection, OperationalError

from api.settings import Settings
from commands.channels.registry import Registry, configured
from commands.policies.channels import CHANNELS
from ledger.store.connection import APPLICATION_ROLE, Database
from ledger.store.migrate import application_role

# Objects of one request die young; the collector's own pace would walk all that lives, again and again, in the middle
# of requests: full collections were most of the slowest answers.
_GC_THRESHOLDS = (50_000, 50, 100)


def spare_the_collector() -> None:
    """From here on it leaves alone what is there already, and looks for garbage less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


def database_at(url: str) -> Database:
    """The database at this URL, with the application's role where there is one; asks it, and believes in it if away."""
    try:
        with Connection.connect(url, autocommit=True, connect_timeout=2) as connection:
            return Database(url, role=application_role(connection))
    except OperationalError:
        return Database(url, role=APPLICATION_ROLE)


def channels_of(settings: Settings) -> Registry:
    """The channels that are configured; what we sign with is made by whoever comes first."""
    return configured(CHANNELS, settings.simulator_url, settings.channels_folder)


def callback_path(channel: str) -> str:
    """Where a channel calls back."""
    return f"/v1/channels/{channel}/callbacks"
