"""Stores that are not quite S3: each one works, or ends with one clear error after few requests."""

import re
from dataclasses import replace
from typing import Any

import pytest

from data.breweries.flow import FLOW
from data.medallion.lake import error_logs, errors
from data.medallion.lake.lease import hold
from data.medallion.lake.manifest import StoredObject
from data.medallion.lake.retries import BUSY_RETRIES, RETRIES
from data.medallion.lake.s3 import LARGEST_SINGLE_PUT
from tests.answers import Answer
from tests.faults.proxy import Refusal
from tests.faults.runs import through_blocks

# Requests, by their lines.
EVERY, PUT, COPY, CREATE = "", "^PUT (?!.*x-amz-copy)", "x-amz-copy-source", "If-None-Match"
LIST, REMOVE_MANY, JOIN_PARTS = "list-type=2", r"^POST .*\?delete", "^POST .*uploadId="

XML, HTML = {"Content-Type": "application/xml"}, {"Content-Type": "text/html"}
LACKING = {
    "501": Refusal(501, "NotImplemented", "A header you provided implies functionality"),
    "405": Refusal(405, "MethodNotAllowed", "The specified method is not allowed"),
    "400": Refusal(400, "UnsupportedOperation", "No"),
    "501 without a body": Answer(b"", 501),
    "501 with a page": Answer(b"<html>Not Implemented</html>", 501, HTML),
}
INTERNAL = Refusal(500, "InternalError", "We encountered an internal error.")
PAGES = {
    "html": b"<!doctype html><html><head><meta charset=utf-8><title>Sign in</title><p>Sign in",
    "xhtml": b'<html xmlns="http://www.w3.org/1999/xhtml">\n<body><p>Sign in</p></body></html>',
}
IN_200 = {"error": INTERNAL.body, **PAGES}
CONTENT = bytes(1000)
KEY = "a/country=S%C3%A3o+x/ü"


def rewritten(found, by):
    return lambda answer: replace(answer, body=re.sub(found.encode(), by.encode(), answer.body))


def unencoded(answer):
    """As a store lists keys that does not know `encoding-type`."""
    plain = rewritten("<EncodingType>.*?</EncodingType>|<Key>.*?</Key>", "")(answer)
    return rewritten("<Contents>", f"<Contents><Key>{KEY}</Key>")(plain)


def weak_etags(answer):
    headers = {k: f"W/{v}" if k.lower() == "etag" else v for k, v in answer.headers.items()}
    return replace(answer, headers=headers)


def no_etags(answer):
    headers = {k: v for k, v in answer.headers.items() if "etag" not in k.lower()}
    return rewritten("<ETag>.*?</ETag>", "")(replace(answer, headers=headers))


ASK = {
    "put": lambda store, file: store.put("gold", "x", b"1"),
    "put parts": lambda store, file: store.put("gold", "x", file),
    "create": lambda store, file: store.create("gold", "x", b"1"),
    "copy": lambda store, file: store.copy("gold", KEY, "x") or len(store.get("gold", "x")),
    "remove": lambda store, file: store.remove("gold", [KEY, "x"]) or len(store.listed("gold", "")),
    "list": lambda store, file: list(store.listed("gold", "")),
    "time": lambda store, file: int(store.listed("gold", "")[KEY].modified),
}
"""What is asked of a store with an object at KEY."""


def cases():
    """Name of a case to its fault, the requests that meet it, what is asked, and what comes."""
    odd, unfit = errors.StoreRequestFailed, errors.ConditionsUnsupported
    for name, answer in LACKING.items():
        yield f"no conditions: {name}", (answer, PUT, "create", unfit)
        yield f"no removal of many: {name}", (answer, REMOVE_MANY, "remove", 0)
        yield f"no copies: {name}", (answer, COPY, "copy", len(CONTENT))
    for name, body in IN_200.items():
        answer = Answer(body, 200, XML)
        yield f"{name} for a PUT", (answer, PUT, "put", odd)
        yield f"{name} for the end of a large PUT", (answer, JOIN_PARTS, "put parts", odd)
        yield f"{name} for a conditional PUT", (answer, PUT, "create", odd)
        yield f"{name} for a copy", (answer, COPY, "copy", len(CONTENT))
        yield f"{name} for a listing", (answer, LIST, "list", odd)
    answer = Answer(INTERNAL.body, 200, XML)
    yield "error for a removal", (answer, REMOVE_MANY, "remove", errors.StoreBusy)
    yield "412 without a body", (Answer(b"", 412), PUT, "create", False)
    yield "412 with a page", (Answer(b"<html>", 412, HTML), PUT, "create", False)
    for time in ("00+00:00", "00.123456789Z", "00Z"):
        change = rewritten("<LastModified>.*?<", f"<LastModified>2026-11-29T21:00:{time}<")
        yield f"the time {time}", (change, LIST, "time", 1795986000)
    yield "keys as they are", (unencoded, LIST, "list", [KEY])
    cut = rewritten("false</IsTruncated>", "true</IsTruncated>")
    yield "a part of a listing", (cut, LIST, "list", odd)


CASES = dict(cases())


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """One that is put in parts."""
    (file := tmp_path_factory.mktemp("large") / "file").write_bytes(bytes(LARGEST_SINGLE_PUT + 1))
    return file


@pytest.mark.parametrize(("fault", "chosen", "ask", "comes"), CASES.values(), ids=CASES)
def test_an_odd_store_works_or_is_named(proxy, lake, file, fault, chosen, ask, comes):
    lake.store.put("gold", KEY, CONTENT)
    met = proxy.answer(fault, chosen)
    if isinstance(comes, type):
        caught: Any
        with pytest.raises(comes) as caught:
            ASK[ask](lake.store, file)
        assert lake.store.endpoint in str(caught.value)
        assert comes is errors.ConditionsUnsupported or " gold" in caught.value.facts["action"]
    else:
        assert ASK[ask](lake.store, file) == comes
    assert len(met) == 1


def test_a_store_that_ignores_conditions_is_named(proxy, lake):
    proxy.answer(Answer(b"", 200), CREATE)
    with pytest.raises(errors.ConditionsUnsupported), hold(lake.store, FLOW.silver, "a", 60, 0):
        pass


@pytest.mark.parametrize("body", [INTERNAL.body, b""])
@pytest.mark.parametrize("times", [RETRIES - 1, RETRIES])
def test_a_conflict_is_tried_again_a_few_times(proxy, lake, body, times):
    met = proxy.answer(Answer(body, 409, XML), CREATE, times)
    assert ASK["create"](lake.store, None) == (times < RETRIES)
    assert len(met) == times


def test_a_listing_that_never_ends_is_told(proxy, lake):
    more = "true</IsTruncated><NextContinuationToken>x</NextContinuationToken>"
    met = proxy.answer(rewritten("false</IsTruncated>", more), LIST)
    with pytest.raises(errors.StoreRequestFailed):
        lake.store.listed("gold", "")
    assert len(met) == 2


@pytest.mark.parametrize("change", [weak_etags, no_etags])
def test_only_a_large_put_needs_etags(proxy, lake, file, change):
    """S3 joins the parts of an object by their ETags."""
    met = proxy.answer(change)
    with pytest.raises(errors.StoreRequestFailed, match="InvalidPart"):
        lake.store.put("gold", "x", file)
    assert lake.store.get("gold", "x") is None
    assert len(met) < 15


@pytest.mark.parametrize("body", IN_200.values(), ids=IN_200)
@pytest.mark.usefixtures("filled")
def test_an_error_in_place_of_a_content_is_seen(proxy, lake, body):
    (entry,) = lake.version(FLOW.gold[0]).objects
    proxy.answer(Answer(body), f"^GET .*({FLOW.bronze.entry(1)}|{entry.key}) ")
    assert isinstance(lake.log(FLOW.bronze).problem(1), errors.ManifestUnreadable)
    assert isinstance(lake.problem("gold", entry), errors.ObjectDiffers)
    assert lake.version(FLOW.bronze).version == 1  # by the copy


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
@pytest.mark.parametrize("region", ["", "us-east-1"])
def test_a_page_in_answer_to_every_request_is_told_at_once(world, proxy, page, region):
    world.set(MINIO_REGION=region)
    met = proxy.answer(Answer(page, 200, HTML))
    with pytest.raises(errors.StoreRequestFailed):
        through_blocks(FLOW.datasets)
    assert len(met) < 20


@pytest.mark.parametrize(("fault", "requests"), [(INTERNAL, BUSY_RETRIES + 1), ("cut", RETRIES)])
def test_an_object_that_the_store_cannot_read_is_named(proxy, lake, fault, requests):
    bad, good = (StoredObject.of(f"data/{name}", 0, CONTENT) for name in ("bad", "good"))
    for entry in (bad, good):
        lake.store.put("gold", entry.key, CONTENT)
    met = proxy.answer(fault, "^GET .*/data/bad ")
    problem = lake.problem("gold", bad)
    assert isinstance(problem, errors.StoreBusy)
    assert "gold/data/bad" in problem.action
    assert len(met) == requests
    assert lake.problem("gold", good) is None


ODD = {
    "weak ETags": (weak_etags, EVERY),
    "no ETags": (no_etags, EVERY),
    "no removal of many, no copies": (LACKING["501"], f"{REMOVE_MANY}|{COPY}"),
    "times to the nanosecond": (rewritten(r"(\.\d+)?Z</LastM", ".123456789Z</LastM"), EVERY),
}


@pytest.mark.parametrize(("fault", "chosen"), ODD.values(), ids=ODD)
def test_the_pipeline_runs_on_an_odd_store(world, proxy, fault, chosen):
    met = proxy.answer(fault, chosen)
    for rows in (120, 110):
        world.api.records = world.api.records[:rows]
        through_blocks(FLOW.datasets)
        assert world.manifest(FLOW.silver).rows_out == rows
    assert world.published()
    assert met


def test_what_the_store_did_not_keep_is_never_published(world, proxy):
    met = proxy.answer(Answer(b"", 200), "^PUT .*parquet ", 1)
    with pytest.raises(errors.ObjectMissing, match="silver/data/breweries/country="):
        through_blocks(FLOW.datasets)
    assert len(met) == 1
    assert not world.lake.published(FLOW.silver)


@pytest.mark.parametrize(("status", "code"), [(507, "XMinioStorageFull"), (403, "QuotaExceeded")])
def test_an_error_log_that_finds_no_room_stops_no_run(world, proxy, status, code):
    log = error_logs.describe(ValueError("x"), FLOW.name, FLOW.silver, world.earlier_run, 1, {})
    error_logs.keep(log, world.folder / "spool" / FLOW.name, None)
    met = proxy.answer(Refusal(status, code, "Full"), "^PUT /[a-z]+/logs/")
    through_blocks(FLOW.datasets)
    assert met
    assert world.spooled()
    proxy.reset()
    through_blocks(FLOW.datasets[:1])
    assert not world.spooled()
    assert len(world.logs("silver")) == 1
