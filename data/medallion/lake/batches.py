"""Divides work into batches of bounded size, and does it in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

AT_ONCE = 256  # items of `in_threads` per batch

T = TypeVar("T")
R = TypeVar("R")


def grouped(items: Iterable[T], size: Callable[[T], int], limit: int) -> Iterator[list[T]]:
    """Group items in order; a group is at most `limit` in size, or one larger item."""
    group: list[T] = []
    held = 0
    for item in items:
        if group and held + size(item) > limit:
            yield group
            group, held = [], 0
        group.append(item)
        held += size(item)
    if group:
        yield group


def in_threads(threads: int, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Do some work on each item, in a few threads, and yield the results in order.

    Items are taken in batches, as they are needed. While they are made, and while the caller uses
    the results, no thread works: threads that share Python's lock would only cost time.
    """
    left = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        while batch := list(islice(left, AT_ONCE)):
            yield from list(pool.map(work, batch))
