"""Service: what the service itself refuses: books, views, webhooks, what it has no room for."""

from ledger.errors.refusal import Conflict, Invalid, NotFound, Refusal, Unavailable


class WebhookEndpointNotFound(NotFound):
    """There is no such webhook endpoint in this book."""


class WebhookEndpointStateInvalid(Conflict):
    """The webhook endpoint is not in a state that allows this."""


class WebhookDeliveryNotFound(NotFound):
    """There is no such delivery to this webhook endpoint."""


class UrlNotAllowed(Invalid):
    """An address is of https, on the public internet, without a user in it, and at most 500 characters long."""


class BookNotFound(NotFound):
    """There is no such book."""


class BookExists(Conflict):
    """There is a book of this name already."""


class PositionNotReached(NotFound):
    """The log has not reached this position."""


class NotCaughtUp(Unavailable):
    """The view has not reached this position yet."""


class NotSealed(Unavailable):
    """No signed checkpoint holds this position yet."""


class LogKeyNotAnnounced(Conflict):
    """No other key that signs checkpoints has been announced in this book's log."""


class LogKeyTooYoung(Conflict):
    """The other keys have not signed long enough for this one to be retired."""


class Overloaded(Unavailable):
    """Too many requests are waiting."""


class StorageFull(Unavailable):
    """The database has no room."""

    retry_after_s = 30


class ProblemNotFound(NotFound):
    """There is no problem of this code in the catalogue."""


class InternalError(Refusal):
    """Something is wrong here and not in the request; it was logged."""

    status = 500
