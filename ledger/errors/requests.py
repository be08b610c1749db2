"""Requests: what is wrong with a request before anybody decides on it, and who may not ask."""

from ledger.errors.refusal import BadRequest, Conflict, Forbidden, Invalid, Refusal


class JsonMalformed(BadRequest):
    """The body is not one well-formed JSON value."""


class JsonNotUtf8(BadRequest):
    """The body is not UTF-8."""


class JsonFractionalNumber(BadRequest):
    """Numbers are whole: no fraction and no exponent."""


class JsonNonFinite(BadRequest):
    """NaN and Infinity are not JSON."""


class JsonIntegerTooLarge(BadRequest):
    """A number is larger than 2^63-1 or smaller than its opposite."""


class JsonDuplicateKey(BadRequest):
    """A key stands twice in one object."""


class JsonTooDeep(BadRequest):
    """The body is nested too deeply."""


class JsonTooManyNodes(BadRequest):
    """The body has too many values."""


class TextForbiddenCharacter(BadRequest):
    """A text holds a control character, a lone surrogate, a zero-width or a direction-changing character."""


class ContentLengthMismatch(BadRequest):
    """The body does not have the length that was announced."""


class FramingConflict(BadRequest):
    """Content-Length and Transfer-Encoding were both sent, so the end of the body is in doubt."""


class RequestTimeout(Refusal):
    """The body did not arrive in time."""

    status = 408
    retryable = True


class HeadersTooLarge(Refusal):
    """The address and the headers are longer than is taken here."""

    status = 431


class BodyTooLarge(Refusal):
    """The body is larger than this address takes."""

    status = 413


class UnsupportedMediaType(Refusal):
    """The body has to be application/json."""

    status = 415


class UnsupportedEncoding(Refusal):
    """The body has to be sent without a content encoding."""

    status = 415


class MethodNotAllowed(Refusal):
    """This address does not answer this method."""

    status = 405


class RateLimited(Refusal):
    """Too many requests; wait before the next."""

    status = 429
    retryable = True
    retry_after_s = 1


class BodyType(Invalid):
    """The body has to be a JSON object."""


class UnknownField(Invalid):
    """This field is not known here."""


class UnknownParameter(Invalid):
    """This query parameter is not known here."""


class FieldMissing(Invalid):
    """This field is required."""


class FieldType(Invalid):
    """This field has the wrong type."""


class FieldInvalid(Invalid):
    """This field has a value that is not allowed."""


class AmountType(Invalid):
    """An amount is a whole number of minor units, written as a JSON integer."""


class AmountNotPositive(Invalid):
    """An amount is at least 1 minor unit."""


class AmountOverflow(Invalid):
    """The amounts of one request add up to more than 2^63-1."""


class CurrencyUnknown(Invalid):
    """This is not a currency or asset that is known here."""


class MetadataType(Invalid):
    """Metadata maps text to text."""


class TooLong(Invalid):
    """This text is too long."""


class TooManyKeys(Invalid):
    """Metadata has too many keys."""


class TimestampFormat(Invalid):
    """A time is written as in RFC 3339, with its offset."""


class TimestampRange(Invalid):
    """This time lies outside of the years 1970 to 9998."""


class LimitRange(Invalid):
    """limit is a whole number from 1 to 500."""


class PanNotAllowed(Invalid):
    """A text looks like a card number, and card numbers are never stored here."""


class SensitiveFieldNotAllowed(Invalid):
    """Security codes, PINs and track data are never taken here."""


class AccountCodeInvalid(Invalid):
    """An account id is 1 to 64 of a-z 0-9 _ : . - without empty segments, and not of a reserved name."""


class CursorInvalid(BadRequest):
    """This cursor was not given out for this list."""


class IdempotencyKeyMissing(BadRequest):
    """A request that changes something carries an Idempotency-Key."""


class IdempotencyKeyInvalid(BadRequest):
    """An Idempotency-Key is 1 to 255 printable ASCII characters, given once."""


class IdempotencyKeyReused(Invalid):
    """This Idempotency-Key was used for another request."""


class IdempotencyInProgress(Conflict):
    """The first request with this Idempotency-Key is still running."""

    retryable = True
    retry_after_s = 1


class ScopeMissing(Forbidden):
    """This key lacks the scope that is needed."""


class AccountProtected(Forbidden):
    """This account belongs to the system and is posted to by its events only."""
