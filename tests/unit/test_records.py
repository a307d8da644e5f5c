import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.medallion.lake.records import array_lines, record_texts, split_array

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.lists(json_values), st.sampled_from([None, 0, 2]), st.booleans())
def test_items_keep_their_own_text(values, indent, ascii_only):
    items = split_array(json.dumps(values, indent=indent, ensure_ascii=ascii_only))
    assert [value for _, value in items] == values
    assert [json.loads(text) for text, _ in items] == values
    assert not any("\n" in text for text, _ in items)


def test_text_stays_as_received():
    received = r'[{"name":"Caf\u00e9 \/ Bar","n":1.50,"big":12345678901234567890.0,"s":"\ud800"}]'
    ((text, _),) = split_array(received)
    assert text == received[1:-1]


@given(st.lists(json_values))
def test_a_file_of_records_is_json_and_streams(values):
    texts = [json.dumps(value) for value in values]
    content = b"".join(array_lines(texts))
    assert json.loads(content) == values
    assert [text.decode() for text in record_texts(content.splitlines())] == texts


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "null",
        '"[]"',
        "[",
        "[1",
        "[1,",
        "[1 2]",
        "[1]]",
        "[1] 2",
        "[NaN]",
        '[{"a":1}',
        "[" * 100_000,
    ],
)
def test_what_is_no_array_is_refused(text):
    with pytest.raises(ValueError):
        split_array(text)
