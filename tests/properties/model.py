"""The ledger as a plain-Python model: dictionaries and integers, written from the rules and not from the code.

It shares nothing with the ledger but the words of the interface. `ask` says what a request must be answered; the ids
that the ledger gives are taken from its answers by `Expected.settle`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.properties import requests as r
from tests.properties.expected import Expected
from tests.properties.model_past import Past
from tests.properties.model_state import Account, Change, Entry, Hold, No, changed, changes_of
from tests.properties.requests import Json, Posting, Reply, Request, Single


class Model:
    """The whole state of one book."""

    def __init__(self) -> None:
        self.now = datetime(1970, 1, 1, tzinfo=UTC)
        self.position = 0
        self.accounts: dict[str, Account] = {}
        self.entries: dict[str, Entry] = {}
        self.holds: dict[str, Hold] = {}
        self.references: set[str] = set()
        self.closed: set[str] = set()
        self.answered: dict[str, tuple[tuple[str, str], Expected]] = {}
        self.asked: dict[str, Request] = {}
        self.past = Past()
        self._moved: list[str] = []

    # --- asking

    def ask(self, key: str, request: Request, now: datetime) -> Expected:
        """What this request must be answered, and the state after it."""
        self.now = now
        if isinstance(request, r.PostEntry):
            if not request.balances:
                return Expected(422, "unbalanced")  # It makes no sense in itself: no key is kept with it.
            if request.dry_run:
                return self._rehearse(request)
        print_ = (request.path, repr(request))
        if key in self.answered:
            known, first = self.answered[key]
            if known != print_:
                return Expected(422, "idempotency_key_reused")
            return Expected(first.status, first.code, first=first)
        expected = self._batch(request) if isinstance(request, r.Batch) else self._single(request)
        self.answered[key], self.asked[key] = (print_, expected), request
        return expected

    # --- one after another

    def _single(self, request: Single) -> Expected:
        try:
            return self._decide(request)
        except No as no:
            return Expected(no.status, no.code, no.facts)

    def _rehearse(self, request: r.PostEntry) -> Expected:
        undo = self._copy()
        expected = self._single(request)
        undo()
        if expected.code is None:
            expected.status, expected.learn = 200, lambda reply: None
            expected.contents["position"] = None
        return expected

    def _batch(self, batch: r.Batch) -> Expected:
        undo, parts, results = self._copy(), list[Expected](), list[Json]()
        for index, (key, transfer) in enumerate(batch.items):
            part = self.ask(key, transfer, self.now)
            parts.append(part)
            if part.code is None:
                results.append({"index": index, "status": "replayed" if part.first else "created"})
            else:
                results.append({"index": index, "status": "rejected", "problem": {"code": part.code}})
        if batch.mode == "atomic" and any(part.code for part in parts):
            undo()
            errors = [
                {"pointer": f"/transfers/{index}", "code": part.code} for index, part in enumerate(parts) if part.code
            ]
            return Expected(422, "batch_rejected", {"errors": errors})

        def learn(reply: Reply) -> None:
            for part, result in zip(parts, reply.body["results"], strict=True):
                first = part.first or part
                if part.code is not None:
                    told = Reply(part.status, part.code, result["problem"], part.first is not None)
                    assert first.reply is None or first.reply.body == told.body, reply
                    first.reply = told
                elif part.first is not None:
                    assert result["id"] == first.contents["id"], reply
                else:
                    part.contents["id"] = result["id"]
                    part.learn(Reply(part.status, None, {"id": result["id"]}, replayed=False))

        return Expected(201, None, {"results": results}, learn)

    def _copy(self) -> Callable[[], None]:
        """A way back to now."""
        accounts = {name: Account(**vars(account)) for name, account in self.accounts.items()}
        kept = (self.position, set(self.references), dict(self.answered), dict(self.asked))
        forget = self.past.mark()

        def undo() -> None:
            self.accounts = accounts
            self.position, self.references, self.answered, self.asked = kept
            forget()

        return undo

    # --- deciding

    def _decide(self, request: Single) -> Expected:
        match request:
            case r.OpenAccount():
                return self._open(request)
            case r.ChangeLimits():
                return self._limit(request)
            case r.ChangeStatus():
                return self._change_status(request)
            case r.Transfer():
                return self._transfer(request)
            case r.PlaceHold():
                return self._hold(request)
            case r.PostEntry():
                return self._entry(request)
            case r.Reverse():
                return self._reverse(request)
            case r.Capture():
                return self._capture(request)
            case r.Release():
                return self._release(request)
            case r.ChangePeriod():
                return self._change_period(request)

    def _open(self, request: r.OpenAccount) -> Expected:
        self._check_limits(request.min_balance, request.max_balance)
        if request.id in self.accounts:
            raise No(409, "id_exists_different")
        opened = Account(request.id, request.kind, request.currency, request.min_balance, request.max_balance)
        self.accounts[request.id] = opened
        return self._done(201, 1, id=request.id, kind=request.kind, currency=request.currency, status="open")

    def _limit(self, request: r.ChangeLimits) -> Expected:
        account = self._existing(request.account)
        self._check_limits(request.min_balance, request.max_balance)
        if account.status == "closed":
            raise No(409, "account_closed")
        account.floor, account.ceiling = request.min_balance, request.max_balance
        return self._done(200, 1, id=account.id, min_balance=account.floor, max_balance=account.ceiling)

    def _change_status(self, request: r.ChangeStatus) -> Expected:
        account = self._existing(request.account)
        if account.status == "closed":
            raise No(409, "account_closed")
        if request.to == "freeze" and account.status == "frozen":
            raise No(409, "account_frozen")
        if request.to == "unfreeze" and account.status == "open":
            raise No(409, "account_not_frozen")
        if request.to == "close" and (account.balance or account.pending_debits or account.pending_credits):
            raise No(409, "account_not_empty", balance=account.balance, pending_debits=account.pending_debits)
        account.status = {"freeze": "frozen", "unfreeze": "open", "close": "closed"}[request.to]
        return self._done(200, 1, id=account.id, status=account.status, min_balance=account.floor)

    def _transfer(self, request: r.Transfer) -> Expected:
        self._check_pair(request)
        self._check_effective(request.effective_at)
        self._move(
            [Change(request.debit_account, debit=request.amount), Change(request.credit_account, credit=request.amount)]
        )
        self._claim(request.reference)
        done = self._done(201, 1, **request.body())
        postings = [
            Posting(request.debit_account, "debit", request.amount, request.currency),
            Posting(request.credit_account, "credit", request.amount, request.currency),
        ]
        return self._post(done, postings, request.effective_at)

    def _hold(self, request: r.PlaceHold) -> Expected:
        self._check_pair(request)
        if request.expires_at is not None and request.expires_at <= self.now:
            raise No(422, "expiry_in_past")
        self._move(
            [
                Change(request.debit_account, pending_debit=request.amount),
                Change(request.credit_account, pending_credit=request.amount),
            ]
        )
        self._claim(request.reference)
        hold = Hold(request, request.amount)
        done = self._done(201, 1, status="active", amount=request.amount, debit_account=request.debit_account)

        def learn(reply: Reply) -> None:
            hold.id = reply.body["id"]
            assert reply.body.get("hold_id", hold.id) == hold.id, reply
            self.holds[hold.id] = hold

        done.learn = learn
        return done

    def _entry(self, request: r.PostEntry) -> Expected:
        postings = list(request.postings)
        for posting in postings:
            account = self._named(posting.account)
            if account.currency != posting.currency:
                raise No(422, "currency_mismatch", account=account.id)
        self._check_reference(request.reference)
        self._check_effective(request.effective_at)
        self._move(changes_of(postings))
        self._claim(request.reference)
        done = self._done(201, 1, postings=[posting.body() for posting in postings], reverses=None)
        return self._post(done, postings, request.effective_at)

    def _reverse(self, request: r.Reverse) -> Expected:
        entry = self.entries.get(request.entry)
        if entry is None:
            raise No(404, "entry_not_found")
        if entry.is_reversal or not any(entry.left):
            raise No(409, "already_reversed")
        taken = self._part_of(entry, request.amount)
        effective_at = entry.effective_at if request.effective_at == "original" else request.effective_at
        assert not isinstance(effective_at, str)
        self._check_effective(effective_at)
        turned = [
            Posting(posting.account, "credit" if posting.direction == "debit" else "debit", amount, posting.currency)
            for posting, amount in zip(entry.postings, taken, strict=True)
            if amount
        ]
        self._move(changes_of(turned))
        entry.left = [left - amount for left, amount in zip(entry.left, taken, strict=True)]
        done = self._done(201, 2, postings=[posting.body() for posting in turned], reverses=request.entry)
        return self._post(done, turned, effective_at, is_reversal=True, position=self.position - 1)

    def _part_of(self, entry: Entry, amount: int | None) -> list[int]:
        if amount is None:
            return list(entry.left)
        if len({posting.currency for posting in entry.postings}) > 1:
            raise No(422, "partial_reversal_ambiguous")
        sides: dict[str, list[int]] = {"debit": [], "credit": []}
        for index, posting in enumerate(entry.postings):
            sides[posting.direction].append(index)
        whole = sum(entry.left[index] for index in sides["debit"])
        if amount > whole:
            raise No(422, "reversal_exceeds_entry", remaining=whole)
        taken = [0] * len(entry.postings)
        for places in sides.values():
            for index in places:
                taken[index] = amount * entry.left[index] // whole
            missing = amount - sum(taken[index] for index in places)
            rounded = [index for index in places if amount * entry.left[index] % whole]
            for index in rounded[:missing]:
                taken[index] += 1
        return taken

    def _capture(self, request: r.Capture) -> Expected:
        hold = self._active(request.hold)
        if hold.request.expires_at is not None and hold.request.expires_at <= self.now:
            raise No(409, "hold_not_active", hold_status="expired")
        amount = hold.left if request.amount is None else request.amount
        if amount > hold.left:
            raise No(422, "capture_exceeds_hold", remaining=hold.left)
        let_go = hold.left if request.final else amount
        payer, payee = hold.request.debit_account, hold.request.credit_account
        self._move([Change(payer, debit=amount, pending_debit=-let_go), Change(payee, 0, amount, 0, -let_go)])
        hold.left, hold.captured, hold.events = hold.left - let_go, hold.captured + amount, hold.events + 1
        hold.status = "active" if hold.left else "captured"
        entry_id = f"{hold.id}.{hold.events}"
        done = self._done(201, 1, status=hold.status, captured=hold.captured, remaining=hold.left, entry_id=entry_id)
        postings = [
            Posting(payer, "debit", amount, hold.request.currency),
            Posting(payee, "credit", amount, hold.request.currency),
        ]
        self.entries[entry_id] = Entry(postings, [amount, amount], None, id=entry_id)
        self.past.took_effect(self.position, None, changes_of(postings))
        return done

    def _release(self, request: r.Release) -> Expected:
        hold = self._active(request.hold)
        expires_at = hold.request.expires_at
        if request.expired and (expires_at is None or expires_at > self.now):
            raise No(409, "hold_not_active", hold_status="active")
        left = hold.left
        self._move(
            [Change(hold.request.debit_account, 0, 0, -left, 0), Change(hold.request.credit_account, 0, 0, 0, -left)]
        )
        hold.left, hold.status, hold.events = 0, "expired" if request.expired else "released", hold.events + 1
        return self._done(200, 1, status=hold.status, captured=hold.captured, remaining=0)

    def _change_period(self, request: r.ChangePeriod) -> Expected:
        if request.to == "reopen":
            if request.period not in self.closed:
                raise No(409, "period_not_closed")
            # Nobody reopens alone.
            return self._done(202, 1, kind="periods.reopen", status="pending")
        if request.period >= f"{self.now:%Y-%m}":
            raise No(409, "period_not_over")
        if request.period in self.closed:
            raise No(409, "period_closed")
        self.closed.add(request.period)
        return self._done(200, 1, period=request.period, status="closed")

    # --- rules that several share

    def _existing(self, name: str) -> Account:
        if name not in self.accounts:
            raise No(404, "account_not_found")
        return self.accounts[name]

    def _named(self, name: str) -> Account:
        if name not in self.accounts:
            raise No(422, "account_unknown", account=name)
        return self.accounts[name]

    def _active(self, name: str) -> Hold:
        hold = self.holds.get(name)
        if hold is None:
            raise No(404, "hold_not_found")
        if hold.status != "active":
            raise No(409, "hold_not_active", hold_status=hold.status)
        return hold

    def _check_limits(self, floor: int | None, ceiling: int | None) -> None:
        if floor is not None and ceiling is not None and floor > ceiling:
            raise No(422, "limits_invalid")

    def _check_pair(self, request: r.Transfer | r.PlaceHold) -> None:
        if request.debit_account == request.credit_account:
            raise No(422, "same_account")
        both = [self._named(name) for name in (request.debit_account, request.credit_account)]
        for account in both:
            if account.currency != request.currency:
                raise No(422, "currency_mismatch", account=account.id, currency=account.currency)
        self._check_reference(request.reference)

    def _check_reference(self, reference: str | None) -> None:
        if reference in self.references:
            raise No(409, "reference_exists", reference=reference)

    def _claim(self, reference: str | None) -> None:
        if reference is not None:
            self.references.add(reference)

    def _check_effective(self, moment: datetime | None) -> None:
        if moment is None:
            return
        if moment > self.now:
            raise No(422, "effective_date_in_future")
        if f"{moment:%Y-%m}" in self.closed:
            raise No(409, "period_closed")

    def _move(self, changes: list[Change]) -> None:
        """All of it or nothing: every account is asked before any is changed."""
        after = [changed(self.accounts[change.account], change) for change in changes]
        for account in after:
            self.accounts[account.id] = account
        self._moved = [account.id for account in after]

    # --- what is remembered

    def _done(self, status: int, events: int, /, **contents: Any) -> Expected:
        first = self.position + 1
        self.position += events
        for name in self._moved:
            self.past.stood(first, name, self.accounts[name].turnover)
        self._moved = []
        contents.pop("effective_at", None)
        return Expected(status, None, {"position": self.position, **contents})

    def _post(
        self,
        done: Expected,
        postings: list[Posting],
        effective_at: datetime | None,
        *,
        is_reversal: bool = False,
        position: int | None = None,
    ) -> Expected:
        entry = Entry(postings, [posting.amount for posting in postings], effective_at, is_reversal)
        self.past.took_effect(position or self.position, effective_at, changes_of(postings))

        def learn(reply: Reply) -> None:
            entry.id = reply.body["id"]
            self.entries[entry.id] = entry

        done.learn = learn
        return done
