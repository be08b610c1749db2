"""Fields: the types that requests are written with, each strict and each with the code of its refusal.

Types for bodies take what the JSON gate lets through and convert nothing but times; types for addresses (`…Parameter`)
take text. A closed set of words is a `Literal`: in strict mode an enum takes its own members only, never text.
"""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, GetPydanticSchema, PlainValidator, StringConstraints
from pydantic import WithJsonSchema as JsonSchema
from pydantic_core import CoreSchema, PydanticCustomError, core_schema
from typing_extensions import TypeAliasType

from api.text_rules import normal_form
from ledger.accounts import check_code
from ledger.currencies import ASSETS
from ledger.errors import (
    AccountCodeInvalid,
    AmountNotPositive,
    AmountType,
    CurrencyUnknown,
    FieldInvalid,
    IdempotencyKeyInvalid,
    LimitRange,
    MetadataType,
    Refusal,
    TimestampFormat,
    TimestampRange,
    TooManyKeys,
)
from ledger.money import LARGEST
from ledger.periods import is_period

LARGEST_PAGE = 500
DEFAULT_PAGE = 100

_ACCOUNT_LENGTH = 64
_SEGMENT = "[a-z0-9_.-]*[a-z0-9_-][a-z0-9_.-]*"  # Not of dots alone: in an address they would mean another place.
_ACCOUNT = f"^{_SEGMENT}(:{_SEGMENT})*$"
_METADATA_KEYS = 50
_METADATA_KEY_LENGTH = 64
_TEXT_LENGTH = 500

_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_YEARS = range(1970, 9999)
_DIGITS = re.compile(r"[0-9]{1,19}")


class Request(BaseModel):
    """What a request body derives from: no unknown field, no conversion, no change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def refused(kind: type[Refusal], detail: str | None = None) -> PydanticCustomError:
    """The error that a validator raises so that the field is answered with this refusal."""
    # The message is a template to pydantic, so that the sentence is given as a value.
    return PydanticCustomError(kind.code(), "{detail}", {"detail": detail or kind.title()})


def _whole(smallest: int, largest: int) -> dict[str, Any]:
    # OpenAPI writers make floats of these bounds: 2^63 survives that, 2^63-1 does not.
    return {"type": "integer", "exclusiveMinimum": smallest - 1, "exclusiveMaximum": largest + 1}


# --- bodies ---------------------------------------------------------------------------------------------------------


def _or(kind: type[Refusal], schema: CoreSchema) -> CoreSchema:
    """The schema, with every error of it told as this refusal; pydantic's core does it without calling Python."""
    return core_schema.custom_error_schema(schema, kind.code(), custom_error_message=kind.title())


def _of(*steps: CoreSchema) -> GetPydanticSchema:
    return GetPydanticSchema(lambda _source, _handler: core_schema.chain_schema(list(steps)))


Amount = Annotated[
    int,
    _of(
        _or(AmountType, core_schema.int_schema(strict=True, le=LARGEST)),
        _or(AmountNotPositive, core_schema.int_schema(ge=1)),
    ),
    JsonSchema({**_whole(1, LARGEST), "description": "In minor units."}),
]
"""1 to 2^63-1 minor units."""

SignedAmount = Annotated[
    int,
    _of(_or(AmountType, core_schema.int_schema(strict=True, ge=-LARGEST, le=LARGEST))),
    JsonSchema({**_whole(-LARGEST, LARGEST), "description": "In minor units."}),
]
"""A balance or a limit in minor units."""

Currency = TypeAliasType(
    "Currency",
    Annotated[
        str,
        _of(_or(CurrencyUnknown, core_schema.literal_schema(list(ASSETS)))),
        JsonSchema({"type": "string", "enum": list(ASSETS), "description": "An ISO 4217 code, a coin or points."}),
    ],
)
"""The code of an asset that the ledger knows."""

AccountId = Annotated[
    str,
    _of(
        core_schema.str_schema(strict=True),
        _or(AccountCodeInvalid, core_schema.str_schema(max_length=_ACCOUNT_LENGTH, pattern=_ACCOUNT)),
    ),
    JsonSchema({"type": "string", "minLength": 1, "maxLength": _ACCOUNT_LENGTH, "pattern": _ACCOUNT}),
]
"""The id of any account, the system's accounts too."""


def _check_new_account(code: str) -> str:
    try:
        return check_code(code)
    except AccountCodeInvalid as refusal:
        raise refused(AccountCodeInvalid, refusal.detail) from None


NewAccountId = Annotated[AccountId, AfterValidator(_check_new_account)]
"""An id that a caller may give to an account: not one of a reserved name."""


def read_time(text: Any) -> datetime:
    """An RFC 3339 time with its offset, in UTC, to the microsecond; raises PydanticCustomError.

    A finer fraction is refused and not cut off; so is a leap second, which a datetime cannot hold.
    """
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        raise refused(TimestampFormat)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise refused(TimestampFormat, "This date or time of day does not exist.") from None
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise refused(TimestampRange) from None
    if moment.year not in _YEARS:
        raise refused(TimestampRange)
    return moment


_TIME_SCHEMA = JsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-21T10:20:30Z"]})

# Not a PlainValidator: that would be written out as a datetime that has become text already, with a warning each time.
Timestamp = Annotated[datetime, _of(core_schema.no_info_plain_validator_function(read_time)), _TIME_SCHEMA]
"""A time, written as text with its offset."""

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def _read_day(text: Any) -> date:
    """A calendar day as `2026-11-21`."""
    if not isinstance(text, str) or not _DAY.fullmatch(text):
        raise refused(FieldInvalid, "A day is written as 2026-11-21.")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise refused(FieldInvalid, "This day does not exist.") from None
    if day.year not in _YEARS:
        raise refused(TimestampRange)
    return day


Day = Annotated[
    date,
    _of(core_schema.no_info_plain_validator_function(_read_day)),
    JsonSchema({"type": "string", "format": "date", "examples": ["2026-11-21"]}),
]
"""A calendar day."""

Metadata = Annotated[
    dict[str, str],
    _of(
        _or(MetadataType, core_schema.dict_schema()),
        _or(TooManyKeys, core_schema.dict_schema(max_length=_METADATA_KEYS)),
        core_schema.dict_schema(
            core_schema.str_schema(max_length=_METADATA_KEY_LENGTH),
            core_schema.chain_schema(
                [
                    _or(MetadataType, core_schema.str_schema(strict=True)),
                    core_schema.str_schema(max_length=_TEXT_LENGTH),
                ]
            ),
        ),
    ),
    JsonSchema(
        {
            "type": "object",
            "maxProperties": _METADATA_KEYS,
            "propertyNames": {"maxLength": _METADATA_KEY_LENGTH},
            "additionalProperties": {"type": "string", "maxLength": _TEXT_LENGTH},
        }
    ),
]
"""Text to text: at most 50 keys of 64 characters, values of 500."""

Text500 = Annotated[str, StringConstraints(strict=True, max_length=_TEXT_LENGTH), AfterValidator(normal_form)]
"""A description or a reason."""

Name = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200), AfterValidator(normal_form)]
"""What something is called; kept in Unicode's composed form (NFC)."""

Reference = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200), AfterValidator(normal_form)]
"""The caller's own name for an entry or an order."""

Identifier = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9_:.-]{1,64}$")]
"""An id of ours or of a caller's, in a body or in an address."""

PartyId = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z0-9][a-z0-9_.-]{0,47}$")]
"""An id that a caller may give to a merchant or a customer."""

Topic = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z_]+\.[a-z_]+\.v[0-9]{1,4}$")]
"""The word that an event has in the log."""

IdempotencyKey = Annotated[
    str,
    _of(_or(IdempotencyKeyInvalid, core_schema.str_schema(strict=True, pattern=r"^[\x21-\x7e]{1,255}$"))),
    JsonSchema({"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"}),
]
"""1 to 255 printable ASCII characters without spaces."""

# --- addresses ------------------------------------------------------------------------------------------------------


def _digits(text: Any, smallest: int, largest: int, kind: type[Refusal], detail: str | None = None) -> int:
    if not isinstance(text, str) or not _DIGITS.fullmatch(text) or not smallest <= int(text) <= largest:
        raise refused(kind, detail)
    return int(text)


LimitParameter = Annotated[
    int,
    PlainValidator(lambda text: _digits(text, 1, LARGEST_PAGE, LimitRange)),
    JsonSchema({**_whole(1, LARGEST_PAGE), "default": DEFAULT_PAGE}),
]
"""How many of a list: 1 to 500, in plain digits."""

PositionParameter = Annotated[
    int,
    PlainValidator(
        lambda text: _digits(text, 0, LARGEST, FieldInvalid, "A position is a whole number, written in digits.")
    ),
    JsonSchema(_whole(0, LARGEST)),
]
"""A position in the book's log."""

_MOST_WITNESSES = 100
WitnessesParameter = Annotated[
    int,
    PlainValidator(
        lambda text: _digits(text, 0, _MOST_WITNESSES, FieldInvalid, "A number of witnesses is 0 to 100, in digits.")
    ),
    JsonSchema({**_whole(0, _MOST_WITNESSES), "default": 0}),
]
"""How many witnesses at least."""

AmountParameter = Annotated[
    int, PlainValidator(lambda text: _digits(text, 0, LARGEST, AmountType)), JsonSchema(_whole(0, LARGEST))
]
"""An amount to compare with, in minor units."""


def _read_time_of_address(text: Any) -> datetime:
    # An address that is written by hand says +01:00, and a plus that is not escaped means a space.
    return read_time(re.sub(r" (?=[0-9]{2}:[0-9]{2}$)", "+", text) if isinstance(text, str) else text)


TimeParameter = Annotated[datetime, PlainValidator(_read_time_of_address), _TIME_SCHEMA]
"""A time in an address."""


def _read_position_or_time(text: Any) -> int | datetime:
    if isinstance(text, str) and _DIGITS.fullmatch(text):
        return _digits(text, 0, LARGEST, FieldInvalid)
    return _read_time_of_address(text)


PositionOrTimeParameter = Annotated[
    int | datetime,
    PlainValidator(_read_position_or_time),
    JsonSchema(
        {"anyOf": [_whole(0, LARGEST), {"type": "string", "format": "date-time"}], "examples": [17]},
    ),
]
"""A position in the book's log, or a time."""


def _read_period(text: Any) -> str:
    if not isinstance(text, str) or not is_period(text):
        raise refused(FieldInvalid, "A period is a month of the years 1970 to 2999, written as 2026-03.")
    return text


PeriodParameter = Annotated[
    str,
    PlainValidator(_read_period),
    JsonSchema({"type": "string", "pattern": "^(19[7-9][0-9]|2[0-9]{3})-(0[1-9]|1[0-2])$", "examples": ["2026-03"]}),
]
"""An accounting period: a month in UTC."""

CursorParameter = Annotated[str, StringConstraints(min_length=1, max_length=1_024)]
"""A cursor as `api/cursors.py` gave it out."""
