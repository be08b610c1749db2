"""/health and /metrics: whether the service lives, whether it can answer, and its figures."""

import msgspec
from starlette.responses import Response

from api.answers import answer
from api.dependencies import Calling
from api.routing import Router
from ledger.errors import Unavailable
from projections.freshness import LOG, Checkpoint
from projections.register import BY_NAME

router = Router("", "health")


class Alive(msgspec.Struct):
    """The process answers."""

    status: str = "alive"


class BookStanding(msgspec.Struct):
    """Where a book's log ends, and how many events each view is behind."""

    position: int
    lags: dict[str, int]
    troubles: dict[str, str]


class Ready(msgspec.Struct):
    """The database answers; this is where its books stand."""

    status: str
    books: dict[str, BookStanding]


class Figures(msgspec.Struct):
    """Prometheus' text format."""


@router.reads("/health/live", Alive, {"status": "alive"}, scope=None)
async def show_alive() -> Response:
    """Tell that the process lives; ask for nothing else before killing it."""
    return answer(Alive())


@router.reads(
    "/health/ready",
    Ready,
    {"status": "ready", "books": {"demo": {"position": 17, "lags": {"postings": 0}, "troubles": {}}}},
    scope=None,
    refuses=(Unavailable,),
)
async def show_ready(caller: Calling) -> Response:
    """Tell whether requests can be answered, where each book stands and how far its views are behind.

    Without a database it is 503. A view that is behind or stands still does not make it so: writes go on.
    """
    standings = await caller.world.standings()
    return answer(Ready("ready", {book: _standing(found) for book, found in standings.items()}))


def _standing(found: dict[str, Checkpoint]) -> BookStanding:
    views = [checkpoint for view, checkpoint in found.items() if view in BY_NAME]
    return BookStanding(
        found[LOG].position,
        {view.view: view.lag for view in views},
        {view.view: view.trouble for view in views if view.trouble},
    )


@router.reads("/metrics", Figures, 'ledger_log_position{book="demo"} 17.0\n', scope=None, media_type="text/plain")
async def show_metrics(caller: Calling) -> Response:
    """Give the figures of this process, and where the books stand, to Prometheus."""
    return Response(await caller.world.figures(), media_type="text/plain; version=0.0.4; charset=utf-8")
