"""Divides work into batches of bounded size, and does it in threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

AHEAD = 64  # items that `in_threads` takes before it needs them

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


def in_threads(
    threads: int,
    work: Callable[[T], R],
    items: Iterable[T],
    ahead: int = AHEAD,
    stop: Callable[[], object] = lambda: None,
) -> Iterator[R]:
    """Do some work on each item, in a few threads, and yield the results in order.

    Items are taken as they are needed: at most `ahead` of them are under way or wait to be used.
    After an error, `stop` is called, and then the work that is under way is waited for.
    """
    waiting: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) == ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except GeneratorExit:  # nobody wants the rest
        raise
    except BaseException:
        stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
