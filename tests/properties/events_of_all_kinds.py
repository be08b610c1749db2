"""Events of all kinds as hypothesis draws them: every class that the log knows, every field by its type and name."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from msgspec import inspect

from ledger.currencies import ASSETS
from ledger.dispute import DisputeShare
from ledger.events.event import Event
from ledger.events.refunds import FeeBack
from ledger.journal import Direction, Posting

currencies = st.sampled_from(sorted(ASSETS))
accounts = st.sampled_from([f"acc:{number}" for number in range(8)])
amounts = st.integers(1, 2**40)
_NEW_YEAR = datetime(1971, 1, 1, tzinfo=UTC).replace(tzinfo=None)  # hypothesis takes bounds without a zone
moments = st.datetimes(_NEW_YEAR, _NEW_YEAR.replace(year=9000), timezones=st.just(UTC))
texts = st.text(max_size=20)


@st.composite
def balanced_postings(draw: st.DrawFn, most_pairs: int = 6) -> tuple[Posting, ...]:
    """Postings that balance in each currency, in any order: pairs that are then split and shuffled."""
    postings: list[Posting] = []
    for _ in range(draw(st.integers(1, most_pairs))):
        currency, amount = draw(currencies), draw(amounts)
        for side in Direction:
            left = amount
            while left:
                part = draw(st.integers(1, left)) if len(postings) < 40 else left
                postings.append(Posting(draw(accounts), side, part, currency))
                left -= part
    return tuple(draw(st.permutations(postings)))


@st.composite
def events(draw: st.DrawFn, event_type: type[Event]) -> Event:
    """An event of this class that a decider could have decided: parts are not greater than their whole."""
    shape = inspect.type_info(event_type)
    assert isinstance(shape, inspect.StructType)
    values: dict[str, Any] = {}
    whole = draw(amounts)
    for field in shape.fields:
        match field.name:
            case "amount":
                values["amount"] = whole
            case "fee" | "channel_fee" | "short" | "principal" if isinstance(field.type, inspect.IntType):
                values[field.name] = draw(st.integers(0, whole))
            case "from_available":
                values["from_available"] = draw(st.integers(0, whole - values.get("short", 0)))
            case "fee_from_available" | "fee_short":
                taken = values.get("fee_from_available", 0)
                values[field.name] = draw(st.integers(0, values["fee"] - taken))
            case "share":
                values["share"] = draw(_dispute_shares(whole))
            case "returned" if isinstance(field.type, inspect.UnionType):
                values["returned"] = draw(st.none() | _fees_back())
            case "reserve" | "recovered":
                values[field.name] = draw(st.integers(0, whole // 2))
            case "currency" | "settlement_currency":
                values[field.name] = draw(currencies)
            case "postings":
                values["postings"] = draw(balanced_postings())
            case "credit_account":
                values["credit_account"] = draw(accounts.filter(lambda name: name != values.get("debit_account")))
            case name if name.endswith("account"):
                values[name] = draw(accounts)
            case _:
                values[field.name] = draw(_of(field.type))
    return event_type(**values)


@st.composite
def _dispute_shares(draw: st.DrawFn, whole: int) -> DisputeShare:
    held, foreign, collected = draw(st.integers(0, whole)), draw(st.booleans()), draw(st.booleans())
    cost, currency = (draw(st.integers(0, 2**40)), draw(currencies)) if foreign else (0, "")
    borne = cost if foreign else held
    short = draw(st.integers(0, borne))
    # A principal has one balance with us: what it does not cover is a debt.
    from_available = borne - short if collected else draw(st.integers(0, borne - short))
    return DisputeShare(held, from_available, short, whole - held, cost, currency, collected)


@st.composite
def _fees_back(draw: st.DrawFn) -> FeeBack:
    amount = draw(amounts)
    to_available = draw(st.integers(0, amount))
    to_debt = draw(st.integers(0, amount - to_available))
    return FeeBack(amount, draw(currencies), to_available, to_debt, draw(st.booleans()))


def _of(shape: inspect.Type) -> st.SearchStrategy[Any]:
    match shape:
        case inspect.NoneType():
            return st.none()
        case inspect.BoolType():
            return st.booleans()
        case inspect.IntType():
            return st.integers(0, 2**40)
        case inspect.StrType():
            return texts
        case inspect.DateTimeType():
            return moments
        case inspect.DateType():
            return st.dates()
        case inspect.DecimalType():
            return st.decimals(-(2**40), 2**40, places=5)
        case inspect.LiteralType(values=words):
            return st.sampled_from(words)
        case inspect.EnumType(cls=kind):
            return st.sampled_from(list(kind))
        case inspect.UnionType(types):
            return st.one_of([_of(one) for one in types])
        case inspect.VarTupleType(item):
            return st.lists(_of(item), max_size=4).map(tuple)
        case inspect.TupleType(items):
            return st.tuples(*(_of(item) for item in items))
        case inspect.DictType(key, value):
            return st.dictionaries(_of(key), _of(value), max_size=3)
        case inspect.StructType(cls=struct, fields=fields):
            return st.builds(struct, **{field.name: _of(field.type) for field in fields})
    raise AssertionError(f"no strategy for {shape}")
