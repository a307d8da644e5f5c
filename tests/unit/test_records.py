"""The lake's file of records: JSON, one record a line."""

import json

from hypothesis import given
from hypothesis import strategies as st

from data.medallion.lake.records import array_lines, record_texts
from tests.unit.test_bodies import json_values


@given(st.lists(json_values))
def test_a_file_of_records_is_json_and_streams(values):
    texts = [json.dumps(value) for value in values]
    content = b"".join(array_lines(texts))
    assert json.loads(content) == values
    assert [text.decode() for text in record_texts(content.splitlines())] == texts
