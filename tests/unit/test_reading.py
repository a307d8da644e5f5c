"""What Arrow reads, and what is read one by one: each record becomes the same."""

import json
from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import json as arrow_json

from data.medallion.lake.records import Lines
from data.medallion.layers.silver import reading
from data.medallion.layers.silver.cleaner import Cleaner
from data.medallion.layers.silver.record_batches import ArrowBatch, PythonBatch
from data.medallion.table import Column, Table, unchanged
from tests.cleaning import clean, json_values
from tests.stations import RECORD, TABLE

CLEANER = Cleaner(TABLE, unchanged)
PLAIN = json.dumps(RECORD).encode()
ODD = {
    "a number in a field of texts": b'{"number":2,"name":5,"country":"c","opened_at":0}',
    "a float that text keeps as it is": b'{"number":2,"name":1.50,"country":"c","opened_at":0}',
    "more than 64 bits": b'{"number":12345678901234567890123,"name":"n","country":"c"}',
    "an integer among floats": b'{"number":9007199254740993,"name":"n","country":"c"}',
    "a negative zero": b'{"number":2,"height":-0,"name":"n","country":"c","opened_at":0}',
    "half a surrogate pair": rb'{"number":2,"name":"\ud800","country":"c","opened_at":0}',
    "a repeated key": b'{"number":2,"name":"a","name":"b","country":"c","opened_at":0}',
    "a deep nesting": b'{"number":2,"name":"n","x":%s1%s}' % (b"[" * 600, b"]" * 600),
    "a time that is a number": b'{"number":2,"name":"n","country":"c","opened_at":1.5}',
    "a time that looks like another": b'{"number":"2020-01-01","name":"n","country":"c"}',
    "a text for a truth": b'{"number":2,"open":"true","name":"n","country":"c","opened_at":0}',
    "an object for a text": b'{"number":2,"name":{"a":1},"country":"c","opened_at":0}',
    "a text for an object": b'{"number":2,"place":"here","name":"n","country":"c"}',
    "a name with a dot": b'{"number":2,"place.city":"there","name":"n","country":"c"}',
    "no object": b"null",
    "a list": b'[{"number":2}]',
    "a long text": b'{"number":2,"name":"%s","country":"c","opened_at":0}' % (b"n" * 20_000),
    "spaces around": b' {"number" : 2 , "name" : "n" , "country":"c","opened_at":0}  ',
    "what no other has": b'{"number":2,"name":"n","country":"c","opened_at":0,"new":[1,"a",null]}',
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("place", [0, 20, 39])
def test_an_odd_record_is_read_as_it_is_and_the_others_by_arrow(odd, place):
    texts = [PLAIN] * 40
    texts[place] = odd
    clean(CLEANER, texts)
    blocks = list(reading.read_batches(Lines.joined(texts), TABLE, set()))
    by_arrow = sum(len(b.numbers) for b in blocks if isinstance(b, ArrowBatch))
    # A few beside it are not worth a call of Arrow.
    assert by_arrow >= 40 - 2 * reading.FEW
    assert sorted(np.concatenate([b.numbers for b in blocks])) == list(range(40))


@given(st.lists(st.sampled_from([PLAIN, *ODD.values()]), max_size=60))
def test_any_mixture_is_read_as_one_by_one(texts):
    clean(CLEANER, texts)


names = st.sampled_from([*RECORD, "operator", "place.city", "other", "\u00e4"])


@given(st.lists(st.dictionaries(names, json_values | st.sampled_from(list(RECORD.values())))))
def test_any_json_is_read_as_one_by_one(records):
    clean(CLEANER, [json.dumps(record).encode() for record in records])


MORE = Table(
    (
        Column("id", sources=("a",)),
        Column("part", "bool", sources=("b",), false_true=("0", "1")),
        *(Column(f"int{mark}", "int64", sources=("c",), decimal=mark) for mark in ".,"),
        *(Column(f"float{mark}", "float64", sources=("c",), decimal=mark) for mark in ".,"),
        Column("bit", "bool", sources=("c",), false_true=("0", "1")),
        Column("at", "timestamp", sources=("d",)),
        Column("deep", "float64", sources=("e.f",)),
    ),
    partitions=("part",),
)
ITEMS = replace(MORE, columns=(*MORE.columns, Column("e", "json"), Column("g", sources=("e.0",))))
values = st.sampled_from(
    [0, 1, 1.0, 0.5, "0", "1", True, "1,200.00", "1.200,00", "1_0", "\uff11", " inf", "nan", "0x1",
     "2024-02-29", "1712010101200", None, {"f": None}, {"f": 1}, [1], ["x"]]
)  # fmt: skip


@pytest.mark.parametrize("table", [MORE, ITEMS], ids=["by Arrow", "one by one"])
@given(
    received=st.lists(st.dictionaries(st.sampled_from("abcde"), values | json_values), max_size=30)
)
def test_what_is_declared_otherwise_is_read_as_one_by_one(table, received):
    clean(Cleaner(table, unchanged), [json.dumps(record).encode() for record in received])


def test_many_odd_records_are_left_to_themselves_after_a_few_calls(monkeypatch):
    arrow = Mock(side_effect=arrow_json.read_json)
    monkeypatch.setattr(arrow_json, "read_json", arrow)
    texts = [b'{"number":1,"name":%d}' % number for number in range(5_000)]
    (block,) = reading.read_batches(Lines.joined(texts), TABLE, set())
    assert isinstance(block, PythonBatch)
    assert arrow.call_count < 20


def test_a_field_that_is_null_in_all_records_is_told_from_one_that_is_missing():
    table = Table((Column("id"), Column("a"), Column("b")), partitions=("a",))
    texts = [b'{"id":"1","a":null,"x":{"b":1},"y":"\\"b\\":"}'] * 20
    *_, seen = clean(Cleaner(table, unchanged), texts)
    assert seen.fields == {"a": (), "id": ("string",), "x": ("object",), "y": ("string",)}


@pytest.mark.parametrize("end", [b"\n", b",\n", b"\r\n", b" ,\r\n", b"\n\n"])
def test_a_line_may_end_in_any_way(end):
    texts = [PLAIN, b"[]", b"7", b"{}"]
    lines = Lines.of(b"[\n" + end.join(texts) + b"\n]\n")
    assert [lines.text(number) for number in range(len(lines))] == texts
