"""What every store does: one suite for all classes of them."""

import inspect
import os
import pkgutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

import pytest

from data.medallion import lake
from data.medallion.lake.errors import ObjectMissing
from data.medallion.lake.folder import FolderStore
from data.medallion.lake.s3 import LARGEST_SINGLE_PUT, S3Store
from data.medallion.lake.store import CHUNK, Store

STORES = {
    S3Store: lambda request: request.getfixturevalue("site").lake.store,
    FolderStore: lambda request: FolderStore(request.getfixturevalue("tmp_path")),
}
METHODS = {name for name in vars(Store) if not name.startswith("_")}
KEYS = ["a/ü.json", "a/country=S%C3%A3o%20Tom%C3%A9/x+y&z.bin", "a/two words", "a/b/c/d", "ab", "b"]
LARGE = os.urandom(CHUNK) * 16 + b"the end"


@pytest.fixture(params=STORES, ids=lambda store: store.__name__)
def any_store(request):
    found = STORES[request.param](request)
    found.create_bucket("gold")
    found.create_bucket("gold")
    return found


@pytest.fixture
def large(tmp_path):
    """A file that is stored in several parts."""
    assert len(LARGE) > LARGEST_SINGLE_PUT
    (file := tmp_path / "large").write_bytes(LARGE)
    return file


def content(store, key, *span):
    return b"".join(store.stream("gold", key, *span))


def together(count, work):
    """What some threads get that do the same work at the same time."""
    start = threading.Barrier(count)

    def wait_and_work(number):
        start.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(wait_and_work, range(count)))


def test_this_suite_knows_every_class_of_store():
    found = set()
    for module in pkgutil.iter_modules(lake.__path__, f"{lake.__name__}."):
        classes = inspect.getmembers(import_module(module.name), inspect.isclass)
        found |= {one for _, one in classes if set(dir(one)) >= METHODS}
    assert found - {Store} == set(STORES)


def test_bytes_and_files_are_stored_and_replaced(any_store, tmp_path, large):
    (tmp_path / "small").write_bytes(b"of a file")
    any_store.put("gold", "x", b"1", "text/plain")
    any_store.put("gold", "empty", b"")
    assert (any_store.get("gold", "x"), any_store.get("gold", "empty")) == (b"1", b"")
    any_store.put("gold", "x", tmp_path / "small")
    assert any_store.get("gold", "x") == b"of a file"
    any_store.put("gold", "x", large)
    assert any_store.get("gold", "x") == LARGE
    assert any_store.get("gold", "never") is any_store.get("silver", "x") is None


def test_any_part_of_an_object_is_streamed(any_store):
    any_store.put("gold", "x", LARGE)
    any_store.put("gold", "empty", b"")
    assert [len(chunk) for chunk in any_store.stream("gold", "x")][:2] == [CHUNK, CHUNK]
    assert content(any_store, "x") == LARGE
    for start, end in [(0, 1), (5, 5), (0, len(LARGE)), (CHUNK - 1, 3 * CHUNK + 1), (7, None)]:
        assert content(any_store, "x", start, end) == LARGE[start:end]
    assert content(any_store, "empty") == b""
    with pytest.raises(ObjectMissing, match="gold/never"):
        content(any_store, "never")


def test_a_listing_is_sorted_and_has_every_object_under_its_prefix(any_store):
    for size, key in enumerate(KEYS):
        any_store.put("gold", key, bytes(size))
    found = any_store.listed("gold", "")
    assert list(found) == sorted(KEYS)
    assert {key: one.bytes for key, one in found.items()} == {k: n for n, k in enumerate(KEYS)}
    assert all(abs(one.modified - time.time()) < 600 for one in found.values())
    assert list(any_store.listed("gold", "a/")) == sorted(KEYS[:4])
    assert list(any_store.listed("gold", "a")) == sorted(KEYS[:5])
    assert list(any_store.listed("gold", KEYS[1][:12])) == [KEYS[1]]
    assert any_store.listed("gold", "never/") == any_store.listed("silver", "a/") == {}
    for size, key in enumerate(KEYS):
        assert any_store.get("gold", key) == bytes(size)
        any_store.copy("gold", key, f"copies/{key}")
    assert list(any_store.listed("gold", "copies/")) == sorted(f"copies/{key}" for key in KEYS)


def test_more_objects_than_a_page_are_listed_and_removed(any_store):
    keys = [f"many/{number:04}" for number in range(1003)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: any_store.put("gold", key, b"x"), keys))
    any_store.put("gold", "another", b"x")
    assert list(any_store.listed("gold", "many/")) == keys
    any_store.remove("gold", iter([*keys, "never/there"]))
    any_store.remove("gold", ["never/there"])
    any_store.remove("gold", [])
    assert list(any_store.listed("gold", "")) == ["another"]


def test_only_the_first_of_many_writers_creates_an_object(any_store):
    for _ in range(2):  # again after it is removed
        won = together(16, lambda number: any_store.create("gold", "race", f"{number}".encode()))
        assert won.count(True) == 1
        assert any_store.get("gold", "race") == f"{won.index(True)}".encode()
        assert not any_store.create("gold", "race", b"late")
        assert any_store.get("gold", "race") == f"{won.index(True)}".encode()
        any_store.remove("gold", ["race"])


def test_a_copy_is_an_object_of_its_own(any_store, large):
    any_store.put("gold", "x", b"old")
    any_store.put("gold", "large", large)
    any_store.copy("gold", "x", "copy")
    any_store.copy("gold", "large", "large copy", "text/plain")
    any_store.put("gold", "x", b"new")
    assert any_store.get("gold", "copy") == b"old"
    any_store.copy("gold", "x", "copy")
    any_store.remove("gold", ["x", "large"])
    assert (any_store.get("gold", "copy"), any_store.get("gold", "large copy")) == (b"new", LARGE)
    with pytest.raises(ObjectMissing, match="gold/x"):
        any_store.copy("gold", "x", "copy")
    assert any_store.get("gold", "copy") == b"new"


def test_an_object_is_replaced_whole(any_store):
    def replaced(number):
        any_store.put("gold", "x", f"{number}".encode() * 3 * CHUNK)
        return any_store.get("gold", "x")

    assert {(len(found), len(set(found))) for found in together(8, replaced)} == {(3 * CHUNK, 1)}
