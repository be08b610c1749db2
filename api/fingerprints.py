"""Fingerprints: what makes two requests the same, whatever the order of their fields and the spaces between them."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import msgspec
from pydantic import BaseModel

# Keys of metadata in one order. The models leave out what has its default: so the fingerprints of requests that
# were answered last year stay the same when a field is added.
_canonical = msgspec.json.Encoder(order="deterministic").encode


# What asks for a rehearsal is no part of the request that is rehearsed, and a key no part of what it stands for.
_NOT_ASKED_FOR = {"dry_run", "idempotency_key"}


def fingerprint(route: str, request: BaseModel, ids: Iterable[str] = ()) -> bytes:
    """SHA-256 over the method and the template of the address, the ids in it, and the request as it was understood."""
    return fingerprint_of(route, request.model_dump(mode="json", exclude_defaults=True, exclude=_NOT_ASKED_FOR), ids)


def fingerprint_of(route: str, asked: Any, ids: Iterable[str] = ()) -> bytes:
    """The same of a request that is no model any more: what it asks for as JSON, without what has its default."""
    return sha256(b"\0".join([route.encode(), *(part.encode() for part in ids), _canonical(asked)])).digest()
