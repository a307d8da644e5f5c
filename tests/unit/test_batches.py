"""Work in threads: in order, a bounded number of items ahead, and to the first error."""

from itertools import count
from operator import neg

import pytest

from data.medallion.lake.batches import AHEAD, in_threads


def test_results_come_in_order_and_items_are_taken_as_they_are_needed():
    taken = []
    results = in_threads(4, neg, (taken.append(n) or n for n in count()))
    assert [next(results) for _ in range(200)] == [-n for n in range(200)]
    assert 200 <= len(taken) <= 200 + AHEAD


def test_an_error_comes_after_the_results_before_it_and_ends_the_rest():
    taken, given = [], []
    with pytest.raises(ZeroDivisionError):
        given.extend(in_threads(4, lambda n: n // (n - 2), (taken.append(n) or n for n in count())))
    assert given == [0, -1]
    assert len(taken) <= 2 + AHEAD + 1
