"""Routing language: conditions of routing rules in CEL over typed attributes, compiled, and read for what they demand.

`demands` reads the checked tree that the compiler hands out (a protocol buffer, `cel.expr.CheckedExpr`) as alternatives
of demands on single attributes. What it does not understand is kept as it stands and compared as text only, so that
nothing is ever said to be impossible that is not.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec
from cel_expr_python import cel

LONGEST_CONDITION = 1_000

_TEXT, _WHOLE, _TRUTH = cel.Type.STRING, cel.Type.INT, cel.Type.BOOL
ATTRIBUTES: dict[str, cel.Type] = {
    "product": _TEXT,
    "method": _TEXT,
    "amount": _WHOLE,
    "currency": _TEXT,
    "merchant": _TEXT,
    "customer": _TEXT,
    "country": _TEXT,
    "bin": _TEXT,
    "capture": _TEXT,
    "customer_present": _TRUTH,
    "metadata": cel.Type.Map(_TEXT, _TEXT),
}
_ENVIRONMENT = cel.NewEnv(variables=ATTRIBUTES)
_ERROR = re.compile(r":(?P<line>\d+):(?P<column>\d+): (?P<what>[^\n]*)")
# Each goes through a list, so that one inside of another could take for ever.
_LOOPS = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(")


class Misunderstood(Exception):
    """The condition is none; `line` and `column` count from 1."""

    def __init__(self, what: str, line: int = 1, column: int = 1) -> None:
        super().__init__(what)
        self.what, self.line, self.column = what, line, column


class Condition:
    """A compiled condition."""

    __slots__ = ("_expression",)

    def __init__(self, expression: cel.Expression) -> None:
        self._expression = expression

    def holds(self, values: cel.Activation) -> bool:
        """Whether it is so. What cannot be computed, as a name that the metadata has not, does not hold."""
        return self._expression.eval(values).value() is True

    @property
    def tree(self) -> bytes:
        tree: bytes = self._expression.serialize()
        return tree


def activation(values: Mapping[str, object]) -> cel.Activation:
    """The values of all attributes, for many conditions."""
    return _ENVIRONMENT.Activation(dict(values))


def compiled(condition: str) -> Condition:
    """The condition, ready to be asked; raises Misunderstood."""
    if len(condition) > LONGEST_CONDITION:
        raise Misunderstood(f"A condition has at most {LONGEST_CONDITION} characters.")
    if len(_LOOPS.findall(condition)) > 1:
        raise Misunderstood("A condition goes through one list at most.")
    try:
        expression = _ENVIRONMENT.compile(condition)
    except Exception as error:
        found = _ERROR.search(str(error))
        if found is None:
            raise Misunderstood("The condition cannot be read.") from None
        raise Misunderstood(found["what"].strip(), int(found["line"]), int(found["column"])) from None
    if expression.return_type() != _TRUTH:
        raise Misunderstood("A condition is answered with true or false.")
    return Condition(expression)


# --- what a condition demands ---------------------------------------------------------------------------------------

Value = str | int | bool


class Domain(msgspec.Struct, frozen=True):
    """What one attribute may be: one of `only` (None: anything) but not of `never`, from `low` to `high`."""

    only: frozenset[Value] | None = None
    never: frozenset[Value] = frozenset()
    low: int | None = None
    high: int | None = None

    def takes(self, value: Value) -> bool:
        if (self.only is not None and value not in self.only) or value in self.never:
            return False
        if isinstance(value, str):
            return True
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    @property
    def values(self) -> frozenset[Value] | None:
        """Each value that it may be, where these are few enough to be told."""
        if self.only is not None:
            return frozenset(value for value in self.only if self.takes(value))
        if self.low is not None and self.high is not None and self.high - self.low < 1_000:
            return frozenset(value for value in range(self.low, self.high + 1) if self.takes(value))
        return None

    @property
    def is_empty(self) -> bool:
        if self.low is not None and self.high is not None and self.low > self.high:
            return True
        return self.values == frozenset()

    def also(self, other: "Domain") -> "Domain":
        """What both allow."""
        only = self.only if other.only is None else other.only if self.only is None else self.only & other.only
        lows = [low for low in (self.low, other.low) if low is not None]
        highs = [high for high in (self.high, other.high) if high is not None]
        return Domain(only, self.never | other.never, max(lows, default=None), min(highs, default=None))

    def is_within(self, other: "Domain") -> bool:
        """Whether each of its values is one of the other's."""
        values = self.values
        if values is not None:
            return all(other.takes(value) for value in values)
        if other.only is not None or any(self.takes(value) for value in other.never):
            return False
        low_fits = other.low is None or (self.low is not None and self.low >= other.low)
        return low_fits and (other.high is None or (self.high is not None and self.high <= other.high))


class Demands(msgspec.Struct, frozen=True):
    """What has to be so all at once: a domain for each attribute, and what is not understood, as it stands."""

    domains: dict[str, Domain] = {}
    others: frozenset[bytes] = frozenset()

    def also(self, more: "Demands") -> "Demands":
        domains = dict(self.domains)
        for name, domain in more.domains.items():
            domains[name] = domains[name].also(domain) if name in domains else domain
        return Demands(domains, self.others | more.others)

    @property
    def contradicted(self) -> str | None:
        """The attribute that can have no value, if there is one."""
        return next((name for name, domain in self.domains.items() if domain.is_empty), None)

    def implies(self, other: "Demands") -> bool:
        """Whether the other surely holds where this one does."""
        fits = all(
            name in self.domains and self.domains[name].is_within(domain) for name, domain in other.domains.items()
        )
        return fits and other.others <= self.others


# More alternatives than these are not looked through: the condition then stands for itself.
_MOST_ALTERNATIVES = 64
_IMPOSSIBLE = Demands({"false": Domain(only=frozenset())})


def demands(condition: Condition) -> list[Demands]:
    """The alternatives of which one has to be so."""
    checked = dict(_fields(dict(_fields(condition.tree))[2]))
    return _alternatives(checked[4], negated=False)


class _Node(NamedTuple):
    """A node of the tree by its kind: const, ident, select, call, list."""

    kind: int
    body: bytes


_CONST, _IDENT, _SELECT, _CALL, _LIST = 3, 4, 5, 6, 7


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a protocol buffer by number; a whole number as its varint's bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        match key & 7:
            case 0:
                end = _varint(message, at)[1]
            case 1:
                end = at + 8
            case 2:
                length, at = _varint(message, at)
                end = at + length
            case 5:
                end = at + 4
            case kind:
                raise AssertionError(f"a field of kind {kind} in the compiler's tree")
        yield key >> 3, message[at:end]
        at = end


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _node(expression: bytes) -> _Node:
    return next((_Node(number, body) for number, body in _fields(expression) if number != 2), _Node(0, b""))


def _call(node: _Node) -> tuple[str, list[bytes]]:
    """The function's name and its arguments; a method's own object is no argument of what is understood here."""
    name, arguments, has_target = "", list[bytes](), False
    for number, body in _fields(node.body):
        match number:
            case 1:
                has_target = True
            case 2:
                name = body.decode()
            case 3:
                arguments.append(body)
    return ("" if has_target else name), arguments


def _constant(expression: bytes) -> Value | None:
    node = _node(expression)
    if node.kind != _CONST:
        return None
    for number, body in _fields(node.body):
        match number:
            case 2:
                return bool(_varint(body, 0)[0])
            case 3:
                whole = _varint(body, 0)[0]
                return whole - (1 << 64) if whole >= 1 << 63 else whole
            case 6:
                return body.decode()
    return None


def _attribute(expression: bytes) -> str | None:
    """`amount`, or `metadata.tier` however it is written."""
    node = _node(expression)
    if node.kind == _IDENT:
        return dict(_fields(node.body))[1].decode()
    if node.kind == _SELECT:
        select = dict(_fields(node.body))
        inner = _attribute(select[1])
        return None if inner is None or 3 in select else f"{inner}.{select[2].decode()}"
    name, arguments = _call(node) if node.kind == _CALL else ("", [])
    if name == "_[_]":
        inner, key = _attribute(arguments[0]), _constant(arguments[1])
        return None if inner is None or not isinstance(key, str) else f"{inner}.{key}"
    return None


_MIRRORED = {"_<_": "_>_", "_<=_": "_>=_", "_>_": "_<_", "_>=_": "_<=_", "_==_": "_==_", "_!=_": "_!=_"}
_OPPOSITE = {"_<_": "_>=_", "_<=_": "_>_", "_>_": "_<=_", "_>=_": "_<_", "_==_": "_!=_", "_!=_": "_==_"}


def _alternatives(expression: bytes, *, negated: bool) -> list[Demands]:
    node = _node(expression)
    constant = _constant(expression)
    if isinstance(constant, bool):
        return [Demands() if constant != negated else _IMPOSSIBLE]
    if (name := _attribute(expression)) is not None:
        return [Demands({name: Domain(only=frozenset({not negated}))})]
    function, arguments = _call(node) if node.kind == _CALL else ("", [])
    match function:
        case "!_":
            return _alternatives(arguments[0], negated=not negated)
        case "_&&_" | "_||_":
            left, right = (_alternatives(argument, negated=negated) for argument in arguments)
            if (function == "_||_") != negated:
                found = left + right
            else:
                found = [one.also(other) for one in left for other in right]
            return found if len(found) <= _MOST_ALTERNATIVES else [_as_it_stands(expression, negated)]
        case "@in":
            domain = _one_of(arguments, negated)
        case _:
            domain = _compared(function, arguments, negated)
    return [_as_it_stands(expression, negated) if domain is None else Demands(dict([domain]))]


def _as_it_stands(expression: bytes, negated: bool) -> Demands:
    return Demands(others=frozenset({_without_ids(expression) + bytes([negated])}))


def _without_ids(expression: bytes) -> bytes:
    """The tree without the numbers of its nodes, so that the same words are the same bytes."""
    node = _node(expression)
    parts = [bytes([node.kind])]
    for number, body in _fields(node.body):
        is_tree = (node.kind, number) in ((_SELECT, 1), (_CALL, 1), (_CALL, 3), (_LIST, 1))
        parts.append(bytes([number]) + (_without_ids(body) if is_tree else body))
    return b"(" + b"".join(parts) + b")"


def _one_of(arguments: list[bytes], negated: bool) -> tuple[str, Domain] | None:
    name, listed = _attribute(arguments[0]), _node(arguments[1])
    if name is None or listed.kind != _LIST:
        return None
    values = [_constant(body) for number, body in _fields(listed.body) if number == 1]
    known = frozenset(value for value in values if value is not None)
    if len(known) != len(set(values)):
        return None
    return name, Domain(never=known) if negated else Domain(only=known)


def _compared(function: str, arguments: list[bytes], negated: bool) -> tuple[str, Domain] | None:
    if function not in _MIRRORED or len(arguments) != 2:
        return None
    name, value = _attribute(arguments[0]), _constant(arguments[1])
    if name is None:
        function, name, value = _MIRRORED[function], _attribute(arguments[1]), _constant(arguments[0])
    if name is None or value is None:
        return None
    function = _OPPOSITE[function] if negated else function
    match function, value:
        case "_==_", _:
            return name, Domain(only=frozenset({value}))
        case "_!=_", _:
            return name, Domain(never=frozenset({value}))
        case _, bool() | str():
            return None
        case "_<_", int():
            return name, Domain(high=value - 1)
        case "_<=_", int():
            return name, Domain(high=value)
        case "_>_", int():
            return name, Domain(low=value + 1)
        case _, int():
            return name, Domain(low=value)
