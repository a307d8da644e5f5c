"""Records are cut out of a body as they were received, whatever its form."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.medallion.lake.records import array_lines, record_texts
from data.medallion.source.bodies import Csv, Json, JsonLines
from data.medallion.source.exchange import Response
from tests.cleaning import json_values

forms = st.fixed_dictionaries(
    {"indent": st.sampled_from([None, 0, 2]), "ensure_ascii": st.booleans()}
)


def cut(body, text, **more):
    return body.records(Response(text.encode(), {}, "http://api.test/", **more))


@given(st.lists(json_values), json_values, forms, st.sampled_from(["", "data", "data.a b"]))
def test_records_keep_the_text_that_was_sent(values, other, form, path):
    whole = values
    for name in reversed(path.split(".") if path else []):
        whole = {"first": other, name: whole, "last": other}
    items = cut(Json(path), json.dumps(whole, **form))
    assert [value for _, value in items] == values
    assert [json.loads(text) for text, _ in items] == values


RECORD = r'{"name":"Caf\u00e9 \/ Bar","n":1.50,"big":12345678901234567890.0,"s":"\ud800"}'


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (Json(), f"[{RECORD}]"),
        (Json(), f" [ {RECORD} ] \n"),
        (Json("a.b"), f'{{"a": {{"c": [1], "b": [{RECORD}]}}, "b": [2]}}'),
        (Json("hits.hits[*]._source"), f'{{"hits":{{"hits":[{{"_id":1,"_source":{RECORD}}}]}}}}'),
        (Json("[*].x"), f'[{{"x":{RECORD}}}]'),
        (Json(key="name"), f'{{"A":{RECORD}}}'),
        (JsonLines(), f"\n{RECORD}\r\n"),
    ],
)  # fmt: skip
def test_a_record_of_any_form_of_body_keeps_its_text(body, text):
    ((found, value),) = cut(body, text)
    assert (found, value["n"]) == (RECORD, 1.5)


def test_a_record_is_given_the_name_that_it_stands_under():
    assert cut(Json("rates", key="code"), '{"rates":{"EUR":{ "x":1},"b\\u00e9":{}}}') == [
        ('{"code":"EUR", "x":1}', {"code": "EUR", "x": 1}),
        ('{"code":"bé"}', {"code": "bé"}),
    ]


@pytest.mark.parametrize(
    ("body", "text", "problem"),
    [
        *((Json(), text, "JSON|Expecting") for text in (
            "", "{}", "null", '"[]"', "[", "[1", "[1,", "[1 2]", "[1]]", "[1] 2", "[NaN]",
            '[{"a":1}', "[" * 100_000, "<html>")),
        (Json("a"), '{"b":[]}', "no field a"),
        (Json("a"), '{"a":{}}', "not a JSON array"),
        (Json("a"), '{"a":[]', "Expecting ',' delimiter"),
        (Json("a"), '{"a":[]} {}', "more than one"),
        (Json("[*].x"), '[{"x":1},{"y":1}]', "no field x"),
        (Json(key="id"), "[]", "not a JSON object"),
        (JsonLines(), "{}\n{} {}", "line 2"),
        (Csv(), "a,b\n1,2\n3", "line 3 has 1 cells, and the first one 2"),
        (Csv(), "a,b\n1,2,3", "line 2 has 3 cells"),
        (Csv(), "a,a\n1,2", "two columns are called 'a'"),
        (Csv(), "\n<html>\n<p>Down\n", "HTML or XML, and no CSV"),
    ],
)  # fmt: skip
def test_a_body_of_another_form_is_refused(body, text, problem):
    with pytest.raises(ValueError, match=problem):
        cut(body, text)


def test_a_field_that_is_null_has_no_records():
    assert cut(Json("a"), '{"a": null}') == []


def test_a_line_of_cells_is_a_record():
    text = 'id;name\r\n1;"a;""b""\r\nc"\r\n\r\n2;\r\n'
    assert [value for _, value in cut(Csv(";"), text)] == [
        {"id": "1", "name": 'a;"b"\r\nc'},
        {"id": "2", "name": ""},
    ]
    assert cut(Csv(), "") == []


@pytest.mark.parametrize(
    ("content", "more"),
    [
        ("é".encode(), {}),
        (b"\xef\xbb\xbf" + "é".encode(), {}),
        (gzip.compress("é".encode(), mtime=0), {}),
        (gzip.compress(b"\xe9", mtime=0), {"encoding": "latin-1"}),
        (b"\xe9", {"headers": {"Content-Type": "text/csv; charset=ISO-8859-1"}}),
        ("é".encode("utf-16"), {"encoding": "utf-16"}),
    ],
)
def test_a_body_is_text_whatever_its_charset(content, more):
    assert Response(**{"content": content, "headers": {}, "url": "", **more}).text == "é"


CUT_OFF = gzip.compress(b"abc", mtime=0)[:-9]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [(b"\xe9", ""), (CUT_OFF, ""), (b"\x1f\x8b", ""), (b"a", "nonsense")],
)
def test_a_body_that_is_no_text_is_refused(content, encoding):
    with pytest.raises((ValueError, LookupError)):
        Response(content, {}, "", encoding=encoding).text  # noqa: B018


@given(st.lists(json_values))
def test_a_file_of_records_is_json_and_streams(values):
    texts = [json.dumps(value) for value in values]
    content = b"".join(array_lines(texts))
    assert json.loads(content) == values
    assert [text.decode() for text in record_texts(content.splitlines())] == texts
