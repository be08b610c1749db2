"""`ledger replay --what-if`: what other rules would have made of the real history, told to people and to programs.

posting-rules=FILE.py   a Python file with RULES: class of an event → what it posts, as ledger/posting_rules has it
routing=FILE.json       a document as PUT /v1/routing/rules takes it
risk=FILE.json          a document as PUT /v1/risk/rules takes it
"""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from api.cli.keys import pepper_of
from api.cli.terminal import answer, give_up, progress, saying_why, settings
from api.cli.upkeep import shown_on
from api.routes.risk import RulesRequest
from api.routes.routing import RoutingRulesRequest
from api.what_if_decisions import DecidedOtherwise, DecisionsReport, rejudge, reroute
from commands.policies import routing_rules
from commands.risk_rules import checked
from ledger.errors import Refusal
from ledger.posting_rules.transfers import Rules
from ledger.posting_rules.versions import PostingRules, RuleRefused
from ledger.store.codec import EVENT_TYPES
from ledger.store.connection import Database
from ledger.store.follow import UnreadableEvent
from ledger.store.vault import Vault, WrongPepper
from projections.replay import PositionNotThere
from projections.scratch_schemas import BadSchemaName
from projections.what_if_postings import EntryDiffers, PostingsReport, replay_postings

_Body = TypeVar("_Body", bound=BaseModel)


def what_if(
    database: Database, book: str, kind: str, file: Path, *, to: int | None, keep: str | None, as_json: bool
) -> None:
    """Answer with the differences; ends with 2 where the rules cannot be read or are refused."""
    with saying_why(), progress() as bar, _refusing():
        shown = shown_on(bar, f"{book}: {kind}")
        match kind:
            case "posting-rules":
                rules = PostingRules(_posting_rules(file))
                postings = replay_postings(database, book, rules, to=to, keep=keep, progress=shown)
                answer(postings, _told_of_postings(postings), as_json=as_json)
            case "routing":
                document = _read(file, RoutingRulesRequest).to_document()
                routing_rules.checked(document)
                compiled = routing_rules.rules_of(*routing_rules.text_of(document))
                routed = reroute(database, book, compiled, to=to, keep=keep, progress=shown)
                answer(routed, _told_of_decisions(routed), as_json=as_json)
            case "risk":
                asked = _read(file, RulesRequest)
                rule_set = checked(asked.to_rules(), asked.policy.to_policy())
                vault = Vault(pepper_of(settings()))
                judged = rejudge(database, book, rule_set, vault, to=to, keep=keep, progress=shown)
                answer(judged, _told_of_decisions(judged), as_json=as_json)
            case _:
                give_up(f"--what-if is posting-rules=FILE.py, routing=FILE.json or risk=FILE.json, and not {kind}", 2)


@contextmanager
def _refusing() -> Iterator[None]:
    """What somebody has given us and cannot be used ends with 2."""
    try:
        yield
    except Refusal as refusal:
        places = "".join(f"; {error.pointer}: {error.detail}" for error in refusal.errors)
        give_up(f"the rules are refused: {refusal.detail}{places}", 2)
    except WrongPepper as wrong:
        give_up(f"{wrong}: name the one of the installation in LEDGER_PEPPER or LEDGER_STATE", 2)
    except RuleRefused as refused:
        give_up(f"the rules are refused: {refused}", 2)
    except (PositionNotThere, BadSchemaName) as error:
        give_up(str(error), 2)
    except UnreadableEvent as error:
        give_up(str(error))


def _read(file: Path, kind: type[_Body]) -> _Body:
    try:
        return kind.model_validate_json(file.read_bytes())
    except OSError as error:
        give_up(f"{file} cannot be read: {error.strerror}", 2)
    except ValidationError as error:
        wrong = ", ".join(f"{'/'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        give_up(f"{file} is no such document: {wrong}", 2)


def _posting_rules(file: Path) -> Rules:
    """The RULES of a Python file, which is run: it is as trusted as the program itself."""
    if not file.is_file():
        give_up(f"there is no file {file}", 2)
    spec = importlib.util.spec_from_file_location("what_if_posting_rules", file)
    if spec is None or spec.loader is None:
        give_up(f"{file} is no Python file", 2)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # It is somebody else's code.
        give_up(f"{file} cannot be run: {error!r}", 2)
    rules = getattr(module, "RULES", None)
    known = set[type](EVENT_TYPES)
    if not isinstance(rules, dict) or not rules or not all(e in known and callable(r) for e, r in rules.items()):
        give_up(f"{file} has no RULES: a dict of classes of events, and of functions that say what they post", 2)
    return rules


# --- in words


def _told_of_postings(report: PostingsReport) -> str:
    differ = f"{report.entries_differ:,} of {report.entries_then:,} entries differ, {len(report.accounts):,} accounts"
    place = f"up to position {report.position:,}"
    lines = [f"{report.book}: by other rules for {', '.join(report.topics)}, {place}: {differ}"]
    lines += [
        f"  {one.account}: {one.then.balance:,} then, {one.now.balance:,} now, {one.difference:+,} {one.currency}"
        for one in report.accounts
    ]
    for currency, totals in report.trial_balance.items():
        for word, sums in (("then", totals.then), ("now", totals.now)):
            lines.append(
                f"  {currency} {word}: debits {sums.debits:,}, credits {sums.credits:,}: {sums.difference:,} apart"
            )
    lines += [f"  {account} would stand beyond its limits" for account in report.beyond_limits]
    for example in report.examples:
        lines += _told_of_entry(example)
    return "\n".join([*lines, *_kept(report.schema)])


def _told_of_entry(one: EntryDiffers) -> Iterator[str]:
    yield f"  position {one.position:,}: {one.topic} in {one.stream}"
    for word, postings in (("then", one.then), ("now", one.now)):
        for posting in postings:
            yield f"    {word}: {posting.direction} {posting.account} {posting.amount:,} {posting.currency}"
        if not postings:
            yield f"    {word}: nothing"


def _told_of_decisions(report: DecisionsReport) -> str:
    money = ", ".join(f"{amount:,} {currency}" for currency, amount in report.money.items()) or "no money"
    place = f"by the {report.rules} rules {report.version}, up to position {report.position:,}"
    lines = [f"{report.book}: {place}: {report.otherwise:,} of {report.decided:,} decided otherwise, {money}"]
    lines += [f"  {was} → {now}: {n:,}" for was, row in report.matrix.items() for now, n in row.items()]
    lines += [_told_of_decision(one) for one in report.examples]
    return "\n".join([*lines, *_kept(report.schema)])


def _told_of_decision(one: DecidedOtherwise) -> str:
    then, now = "; ".join(one.because_then) or "no reason", "; ".join(one.because_now) or "no reason"
    return f"  {one.payment}, {one.amount:,} {one.currency}: {one.was} ({then}) → {one.now} ({now})"


def _kept(schema: str | None) -> list[str]:
    return [] if schema is None else [f"  kept in the schema {schema}"]
