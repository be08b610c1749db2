"""/problems: the catalogue of everything that a request may be refused for, in each language. Anybody may read it."""

from collections.abc import Iterator

import msgspec
from starlette.responses import Response

from api.answers import Page, answer
from api.problems import title_in
from api.routing import Router
from api.validation import refusal_named
from ledger import errors
from ledger.errors import ProblemNotFound, Refusal
from ledger.languages import LANGUAGES

router = Router("/v1/problems", "problems")


class ProblemKind(msgspec.Struct, frozen=True):
    """One kind of refusal: what to decide by, and what its documents say by language (ISO 639-1)."""

    code: str
    status: int
    retryable: bool
    titles: dict[str, str]


_SHOWN = {
    "code": "account_frozen",
    "status": 409,
    "retryable": False,
    "titles": {"en": "The account is frozen.", "zh": "账户已被冻结。"},
}


def _all_kinds() -> Iterator[type[Refusal]]:
    """All that can be told, in the order in which they are declared."""
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, Refusal) and kind is not Refusal:
            yield kind


def _shown(kind: type[Refusal]) -> ProblemKind:
    titles = {str(language): title_in(language, kind) for language in LANGUAGES}
    return ProblemKind(kind.code(), kind.status, kind.retryable, titles)


@router.reads("", ProblemKind, _SHOWN, scope=None, page=True)
async def list_problems() -> Response:
    """List every problem that a request may be answered with, all on one page."""
    return answer(Page([_shown(kind) for kind in _all_kinds()]))


@router.reads("/{code}", ProblemKind, _SHOWN, scope=None, refuses=(ProblemNotFound,))
async def show_problem(code: str) -> Response:
    """Show what one code means."""
    kind = refusal_named(code)
    if kind is None:
        raise ProblemNotFound
    return answer(_shown(kind))
