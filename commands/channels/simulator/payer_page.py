"""Payer's page: where a payer is sent to approve or refuse: a bank's page, a wallet's app, a 3-D Secure one.

GET  /payer/{reference}                     what is asked, with two buttons
POST /payer/{reference}  action=approve     and then back to the shop's `return_url`, if it named one
"""

from collections.abc import Sequence
from html import escape
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from commands.channels.requests import Charge, SignContract
from commands.channels.simulator.books import Books, PayerWord
from commands.channels.simulator.callbacks import now_ms
from commands.channels.simulator.desk import Desk, plain, whole_body
from commands.channels.simulator.operations import Operation, Refused

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<main><h1>{title}</h1><p>{text}</p>{form}</main></html>"""
_FORM = """<form method="post"><button name="action" value="approve">Approve</button>
<button name="action" value="refuse">Refuse</button></form>"""


def payer_routes(desks: Sequence[Desk]) -> list[BaseRoute]:
    """The page, over the books of all these channels."""

    async def find(reference: str) -> tuple[Desk, Operation]:
        for desk in desks:
            found = await desk.keeper.do(Books.by_reference, reference)
            if found is not None:
                return desk, found
        raise Refused(404, "not_found", "Nobody is asked anything here.")

    async def show(request: Request) -> Response:
        try:
            desk, asked = await find(request.path_params["reference"])
        except Refused as refused:
            return plain(refused)
        return HTMLResponse(_page(desk.name, asked))

    async def decide(request: Request) -> Response:
        try:
            form = parse_qs((await whole_body(request)).decode("utf-8", "replace"))
            word: PayerWord
            match form.get("action"):
                case ["approve"]:
                    word = "approve"
                case ["refuse"]:
                    word = "refuse"
                case _:
                    raise Refused(422, "invalid_request", "The field action is approve or refuse.")
            desk, asked = await find(request.path_params["reference"])
            kind: Literal["charge", "contract"] = "contract" if asked.kind == "contract" else "charge"
            done = await desk.keeper.do(Books.payer, word, kind, asked.id, now_ms())
        except Refused as refused:
            return plain(refused)
        desk.courier.wake()
        back = done.request.return_url if isinstance(done.request, Charge | SignContract) else None
        if back and urlsplit(back).scheme in ("http", "https"):
            return RedirectResponse(back, 303)
        return HTMLResponse(_page(desk.name, done))

    return [
        Route("/payer/{reference}", show, methods=["GET"]),
        Route("/payer/{reference}", decide, methods=["POST"]),
    ]


def _page(channel: str, one: Operation) -> str:
    what = "an agreement" if one.kind == "contract" else f"{one.amount} {one.currency} (minor units)"
    text = f"{what}: {one.status}"
    return _PAGE.format(title=escape(channel), text=escape(text), form=_FORM if one.is_asked_of_the_payer else "")
