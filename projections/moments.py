"""Moments: instants in whole microseconds, as PostgreSQL keeps them, so that until T is before the next one."""

from datetime import UTC, datetime, timedelta

BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
"""Before everything that is recorded."""
END = datetime(9999, 12, 31, tzinfo=UTC)
"""After everything that is recorded."""

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def just_after(moment: datetime) -> datetime:
    """The next microsecond: what is before it is all that is until the moment."""
    return moment + _MICROSECOND if moment < END else END


def microseconds_of(moment: datetime) -> int:
    """Microseconds since 1970, for cursors."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(microseconds: int) -> datetime:
    """The opposite of `microseconds_of`."""
    return _EPOCH + microseconds * _MICROSECOND
