"""A mistake in a flow's own function is told by one sentence, which names it and its line."""

import pickle
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from data.medallion.errors import OwnCodeFailed, SettingError
from data.medallion.flow import Chart
from data.medallion.lake.records import Lines
from data.medallion.layers import chart
from data.medallion.layers.silver.cleaner import Cleaner
from data.medallion.own_code import LONGEST, OwnCode
from data.medallion.report.language import Language
from data.medallion.table import Column, unchanged
from tests.cleaning import clean
from tests.stations import STATIONS, TABLE

TEXTS = [b'{"number": 1, "name": "n", "country": "c"}', b'{"number": 2}']


def raising(columns):
    return pc.add(columns["number"], columns["nummer"])


def deep(columns):
    return raising(columns)


def saying(error):
    def own(columns):
        raise error

    return own


def returning(found):
    return lambda columns: found


ONES = pa.array([1, 1])
DERIVED = [
    (raising, "raised KeyError: 'nummer'"),
    (partial(raising), "raised KeyError: 'nummer'"),
    (deep, "raised KeyError: 'nummer'"),
    (saying(ValueError("of two\n  lines. ")), "raised ValueError: of two lines"),
    (saying(RuntimeError), "raised RuntimeError"),
    (saying(ValueError("word " * 500)), "raised ValueError: word word"),
    (lambda: None, "raised TypeError: .* takes 0 positional arguments but 1 was given"),
    (returning(None), "returned None where an Arrow array of more is needed"),
    (returning(pa.scalar(1)), "returned Int64Scalar where an Arrow array of more is needed"),
    (returning(pa.array([1])), "returned 1 values of more for 2 rows"),
    (returning(pa.array(["1", "2"])), "returned more as string where int64 is needed"),
    (returning(pa.array([True, None])), "returned more as bool where int64 is needed"),
    (returning(pa.array([1.5, 2])), "raised ArrowInvalid: Float value 1.5.* was truncated"),
]
CLEANED = [
    (raising, "raised KeyError: 'nummer'"),
    (returning(None), "returned None where a dict of columns is needed"),
    (returning(ONES), "returned Int64Array where a dict of columns is needed"),
    (returning({"taps": ONES}), "returned taps, which is no column that the table reads"),
    (returning({"year": ONES}), "returned year, which is no column that the table reads"),
    (returning({"phone": None}), "returned None where an Arrow array of phone is needed"),
    (returning({"phone": ONES}), "returned phone as int64 where string is needed"),
    (returning({"height": ONES[:1]}), "returned 1 values of height for 2 rows"),
]


def cleaner(derive=None, clean=unchanged, kind="int64"):
    more = (Column("more", kind, derive=derive),) if derive else ()
    return Cleaner(replace(TABLE, columns=(*TABLE.columns, *more)), clean)


@pytest.mark.parametrize(
    ("cleaner", "doing", "problem"),
    [(cleaner(derive=own), "the column more", problem) for own, problem in DERIVED]
    + [(cleaner(clean=own), "the columns that it changes", problem) for own, problem in CLEANED],
)
def test_a_mistake_of_cleaning_names_the_function_its_line_and_the_column(cleaner, doing, problem):
    with pytest.raises(OwnCodeFailed) as caught:
        clean(cleaner, TEXTS)
    error = caught.value
    assert re.search(problem, error.problem) and error.doing == doing
    assert error.file == ("built in" if error.line == 0 else "tests/unit/test_own_code.py")
    said = f"{error.function} ({error.file}, line {error.line}), asked for {doing}, "
    assert str(error) == f"{said}{error.problem}; mend it and run again."
    assert "\n" not in str(error) and len(error.problem) <= LONGEST
    assert (error.problem.startswith("raised")) == error.trace.startswith("Traceback")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert copy.facts == error.facts


@pytest.mark.parametrize("own", [raising, deep, partial(deep)])
def test_the_line_is_the_last_one_of_its_file(own):
    with ThreadPoolExecutor(1) as pool, pytest.raises(OwnCodeFailed) as caught:
        pool.submit(cleaner(own), Lines.joined(TEXTS)).result()
    first = raising.__code__.co_firstlineno
    assert caught.value.line == first + 1
    assert caught.value.function == getattr(own, "func", own).__name__
    assert '    return pc.add(columns["number"], columns["nummer"])' in caught.value.trace


@pytest.mark.parametrize("found", [pa.nulls(2), pa.array([1, 2], pa.int8()), pa.array([1.0, None])])
def test_numbers_of_another_size_and_no_values_at_all_fit(found):
    rows, *_ = cleaner(returning(found))(Lines.joined(TEXTS))
    assert rows.schema.field("more").type == pa.int64()


def test_our_own_errors_pass_unchanged():
    with pytest.raises(SettingError, match="X is wrong"), OwnCode(raising, "the column x"):
        raise SettingError("X", "is wrong")
    with pytest.raises(KeyboardInterrupt), OwnCode(raising, "the column x"):
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("draw", "problem"),
    [
        (print, "returned None where a figure of matplotlib is needed"),
        (lambda table, caption: 1, "returned int where a figure of matplotlib is needed"),
        (lambda table, caption: table["taps"], "raised KeyError: 'taps'"),
    ],
)
def test_a_mistake_of_drawing_names_the_function_and_the_table(draw, problem):
    with pytest.raises(OwnCodeFailed) as caught:
        drawing, table = Chart(draw, of="kind_heights"), pa.table({"kind": ["a"]})
        chart._drawn(drawing, table, "of today", Language.load("en", STATIONS))
    assert caught.value.problem == problem
    assert caught.value.doing == "the chart of kind_heights"
