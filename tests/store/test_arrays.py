"""Arrays come back from PostgreSQL as they went in, the short way and the ordinary way."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg import Connection
from psycopg.adapt import PyFormat, Transformer
from psycopg.postgres import types

from ledger.store.arrays import Bigints, Bytes, Flags, Texts, register

# PostgreSQL takes every character but NUL.
_texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
_long = st.integers(1_020, 1_030).map(lambda length: "é" * length)
_arrays = st.one_of(
    st.lists(_texts | _long).map(Texts),
    st.lists(st.none() | st.binary(max_size=40) | _long.map(str.encode)).map(Bytes),
    st.lists(st.integers(-(2**63), 2**63 - 1)).map(Bigints),
    st.lists(st.booleans()).map(Flags),
)
_TYPES = {Texts: "text", Bytes: "bytea", Bigints: "bigint", Flags: "boolean"}


@pytest.mark.parametrize("prepare", [register, lambda connection: None], ids=["registered", "not registered"])
def test_what_goes_into_an_array_comes_out(database_url: str, prepare: Callable[[Connection], None]) -> None:
    with Connection.connect(database_url, autocommit=True) as connection:
        prepare(connection)

        @given(_arrays)
        @example(Bytes([None]))
        def law(array: list[object]) -> None:
            row = connection.execute(f"SELECT %b::{_TYPES[type(array)]}[]", (array,), binary=True).fetchone()
            assert row == (list(array),)

        law()


@given(_arrays)
def test_an_array_says_its_type_without_looking_at_its_items(array: list[object]) -> None:
    transformer = Transformer()
    register(transformer)
    dumper = transformer.get_dumper(array, PyFormat.BINARY)
    assert dumper.oid == types[_TYPES[type(array)]].array_oid
