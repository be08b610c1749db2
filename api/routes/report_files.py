"""/reconciliation/files: reports of channels and statements of banks come in, row by row."""

import io
from functools import partial
from hashlib import sha256
from typing import Annotated, Literal

import msgspec
from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from api.access_log import Sensitive
from api.answers import answer, told
from api.dependencies import Caller, Calling, Cursor, Limit, MinPosition
from api.fields import DEFAULT_PAGE, Identifier
from api.routing import Router
from api.transport import BODY, BodyRule
from commands.envelope import Answer, Part
from commands.policies.reconciliation import is_bank
from commands.processes.kept_reports import keep
from commands.processes.report_imports import file_id, import_report
from commands.report_files.sources import SOURCES
from commands.report_imports import ReceiveReportFile
from ledger.errors import (
    CursorInvalid,
    FieldMissing,
    LimitRange,
    ReportFileKnown,
    ReportFileNotFound,
    ReportFileUnreadable,
)
from ledger.ids import REPORT_FILE
from ledger.report_file_state import FileStatus, ReportFileView
from projections.report_files import (
    RejectedView,
    ReportFiles,
    RowView,
    rejections,
    report_file,
    report_files,
    rows,
)

FILES = "/v1/reconciliation/files"
BODY_RULE = BodyRule(max_bytes=64 * 1024 * 1024, is_json=False)
router = Router("/v1/reconciliation/files", "reconciliation")

_TIME = "2026-11-21T10:20:30.123456Z"
_ID = "file_3f7a1c9e5b2d8046f1e7c3a95d0b4826"
_FILE = {
    "file_id": _ID,
    "source": "channel_csv",
    "account": "card_simulator",
    "name": "settlement-2026-11-20.csv",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "size_bytes": 48120,
    "status": "imported",
    "rows": 412,
    "rejected": 1,
    "rejected_rows": [{"line": 17, "reason": "the fee is no amount of EUR: 1.2.3", "raw": "charge,pay_1-1,…"}],
    "control_totals": [
        {"name": "net", "line": 414, "stated": 120000, "counted": 120000, "currency": "EUR", "holds": True}
    ],
    "received_at": _TIME,
    "refused": None,
    "position": 90,
}
_ROW = {
    "id": f"{_ID}-1",
    "number": 1,
    "state": "open",
    "told_by": "",
    "row": {
        "line": 2,
        "kind": "sale",
        "external_id": "ch_1",
        "our_reference": "pay_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f-1",
        "gross": 1250,
        "currency": "EUR",
        "fee": 25,
        "fee_currency": "EUR",
        "net": 1225,
        "net_currency": "EUR",
    },
}
_REJECTED = {"number": 1, "line": 17, "reason": "the fee is no amount of EUR: 1.2.3", "raw": "charge,pay_1-1,…"}

Source = Literal["stripe", "adyen", "paypal", "alipay", "wechatpay", "camt053", "mt940", "bai2", "channel_csv"]
RowState = Literal["open", "duplicate", "announced", "matched", "broken"]
OfSource = Annotated[Source, Query(description="The format of the file.")]
Account = Annotated[
    Identifier | None,
    Query(description="The channel it is about, else the one that is called like the source; or our bank account."),
]
FileName = Annotated[Identifier | None, Query(description="What the file is called, for people.")]


_view_in = msgspec.json.Decoder(ReportFileView).decode


@router.writes(
    "",
    ReportFileView,
    _FILE,
    scope="reconciliation:write",
    refuses=(ReportFileKnown, ReportFileUnreadable),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": {
                    "schema": {"type": "string", "format": "binary"},
                    "example": "type,id,charge_id,reference,gross,fee,net,currency,occurred_at,settles_on\r\n",
                }
            },
        }
    },
)
async def import_report_file(
    request: Request, caller: Calling, source: OfSource, account: Account = None, name: FileName = None
) -> Response:
    """Take in a report of a channel or a statement of a bank: the file as it is, also packed (gzip, zip).

    Every line becomes a row or is rejected with its reason, and disturbs no other. A file whose totals are not those
    of its rows is `flagged`, and nothing of it is matched. The same file comes in once.
    """
    if account is None and is_bank(source):
        raise FieldMissing("Say which of our bank accounts the statement is of.", pointer="/query/account")
    content: bytes = request.scope[BODY]
    digest = sha256(content).hexdigest()
    asked = ReceiveReportFile(file_id(source, digest), source, account or source, digest, len(content), name or "")
    envelope = caller.envelope(caller.key, _fingerprint(asked))
    async with caller.world.reading() as connection:
        await keep(connection, caller.book, digest, content)
    given = await import_report(
        caller.book, asked, envelope, SOURCES[source], io.BytesIO(content), partial(_submit, caller)
    )
    if given.refusal is None and given.error is None:
        view = _view_in(given.body)
        if view.refused is not None:
            raise ReportFileUnreadable(view.refused.reason, file=view.file_id, line=view.refused.line)
    return told(given)


@router.reads(
    "",
    ReportFileView,
    _FILE,
    scope="ledger:read",
    page=True,
    refuses=(CursorInvalid, LimitRange),
    sensitive=Sensitive.NOTED,
)
async def list_report_files(
    caller: Calling,
    source: Annotated[Source | None, Query(description="Only files of this format.")] = None,
    account: Annotated[Identifier | None, Query(description="Only files about this channel or bank account.")] = None,
    status: Annotated[FileStatus | None, Query(description="Only files of this status.")] = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    min_position: MinPosition = None,
) -> Response:
    """List the files that came in, in the order in which they did."""
    await caller.see(min_position, ReportFiles.name)
    filters: dict[str, str | None] = {"source": source, "account": account, "status": status}
    after = 0 if cursor is None else int(caller.continue_after(cursor, "report_files", filters)[0])
    async with caller.world.reading() as connection:
        found = await report_files(connection, caller.book, filters, after=after, limit=limit + 1)
    return caller.page("report_files", found, limit, lambda one: [one.place], filters, lambda one: one.file)


@router.reads(
    "/{file_id}", ReportFileView, _FILE, scope="ledger:read", refuses=(ReportFileNotFound,), sensitive=Sensitive.NOTED
)
async def get_report_file(caller: Calling, file_id: Identifier, min_position: MinPosition = None) -> Response:
    """Show a file: what became of it, its totals, and the first lines that could not be read."""
    await caller.see(min_position)
    return answer(await _file(caller, file_id))


@router.reads(
    "/{file_id}/rows",
    RowView,
    _ROW,
    scope="ledger:read",
    page=True,
    refuses=(ReportFileNotFound, CursorInvalid, LimitRange),
    sensitive=Sensitive.FIRST,
)
async def list_report_rows(
    caller: Calling,
    file_id: Identifier,
    state: Annotated[RowState | None, Query(description="Only rows of this state.")] = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    min_position: MinPosition = None,
) -> Response:
    """List the rows of a file, in its order, with what became of each."""
    await caller.see(min_position, ReportFiles.name)
    filters = {"file": file_id, "state": state}
    after = 0 if cursor is None else int(caller.continue_after(cursor, "report_rows", filters)[0])
    await _file(caller, file_id)
    async with caller.world.reading() as connection:
        found = await rows(connection, caller.book, file_id, state=state, after=after, limit=limit + 1)
    return caller.page("report_rows", found, limit, lambda one: [one.number], filters)


@router.reads(
    "/{file_id}/rejections",
    RejectedView,
    _REJECTED,
    scope="ledger:read",
    page=True,
    refuses=(ReportFileNotFound, CursorInvalid, LimitRange),
    sensitive=Sensitive.FIRST,
)
async def list_report_rejections(
    caller: Calling,
    file_id: Identifier,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    min_position: MinPosition = None,
) -> Response:
    """List the lines of a file that could not be read, with the reason of each."""
    await caller.see(min_position, ReportFiles.name)
    filters = {"file": file_id}
    after = 0 if cursor is None else int(caller.continue_after(cursor, "report_rejections", filters)[0])
    await _file(caller, file_id)
    async with caller.world.reading() as connection:
        found = await rejections(connection, caller.book, file_id, after=after, limit=limit + 1)
    return caller.page("report_rejections", found, limit, lambda one: [one.number], filters)


async def _file(caller: Caller, name: str) -> ReportFileView:
    async with caller.world.reading() as connection:
        found = await report_file(connection, caller.book, name) if name.startswith(REPORT_FILE) else None
    if found is None:
        raise ReportFileNotFound(file=name)
    return found


def _fingerprint(asked: ReceiveReportFile) -> bytes:
    return sha256(f"{FILES}\x1f{asked.account}\x1f{asked.id}\x1f{asked.name}".encode()).digest()


async def _submit(caller: Caller, book: str, part: Part) -> Answer:
    (given,) = await caller.world.carry_out(book, [part])
    return given
