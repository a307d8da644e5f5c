"""The exporter answers whoever asks, and whatever the lake holds."""

import json
import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from unittest.mock import Mock

import pytest
import requests
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from data.breweries.flow import FLOW
from data.medallion.lake.datasets import LAYERS
from data.medallion.lake.manifest import NO_SEAL, Manifest, sealed
from monitoring import look
from monitoring.look import LakeLook
from sandbox import ROOT
from tests.cleaning import nesting, scalars
from tests.monitoring.stations import manifest, publish, put_version
from tests.programs import running
from tests.waiting import wait_for

PATIENCE = 10  # seconds: Prometheus' own, unless it is told otherwise
MEMORY_MIB = 512  # of the exporter's container

LOG = f"logs/a-{FLOW.gold[0].block}.json"
MANIFEST = sealed(manifest(FLOW.silver, 5))


@pytest.fixture
def page(see):
    """An exporter of a lake that nobody has looked at."""
    return see(look=lambda before: before)


def sealed_text(text):
    """A JSON object that ends with the hash of itself."""
    head, tail = text.removesuffix("}") + ',\n"sha256": "', '"\n}\n'
    return (head + sha256((head + NO_SEAL + tail).encode()).hexdigest() + tail).encode()


def manifest_with(**values):
    """A version's text with some fields as given; a str of JSON's own is taken as it is."""
    fields = {**json.loads(MANIFEST), **dict.fromkeys(values, "?")}
    text = json.dumps(fields)
    for name, value in values.items():
        text = text.replace(f'"{name}": "?"', f'"{name}": {value}')
    return sealed_text(text)


HUGE = "9" * 400
DEEP = "[" * 100_000 + "]" * 100_000
NOT_UNDERSTOOD = {
    "empty": b"",
    "not JSON": b"\xff\xfe<html>",
    "a number": b"17",
    "cut": MANIFEST[:-70],
    "with one digit changed": MANIFEST.replace(b'"rows_out": 5', b'"rows_out": 6'),
    "400 digits": manifest_with(rows_out=HUGE),
    "beyond any float": manifest_with(seconds="1e999"),
    "not a number": manifest_with(rows_rejected="NaN"),
    "negative": manifest_with(rows_duplicate="-1"),
    "half a pair as a number": manifest_with(rows_in='"\\ud800"'),
    "of a newer version": manifest_with(manifest_version="4"),
    "of no version": manifest_with(manifest_version="null"),
    "deep in a field that is not known": manifest_with(manifest_version=f'1, "new": {DEEP}'),
    "checks that are none": manifest_with(checks='[{"name": 1}]'),
}


@pytest.mark.parametrize(("kind", "rows"), [*((kind, 5) for kind in NOT_UNDERSTOOD), ("cut", 0)])
def test_a_version_that_cannot_be_is_told_of_and_nothing_else_fails(world, seen, kind, rows):
    if rows:
        publish(world.lake, FLOW.silver, rows)
        assert seen.metrics()["run_output_rows", "silver"] == rows
    put_version(world.lake, FLOW.silver, NOT_UNDERSTOOD[kind])
    found = seen.metrics()
    assert [found["layer_up", layer] for layer in LAYERS] == [1, 0, 1]
    assert not any(found["layer_failed", layer] for layer in LAYERS)
    assert found["run_output_rows", "silver"] == rows, "the last that could be read"
    assert found["layer_last_success_timestamp_seconds", "silver"] > 0
    said = seen.problem("silver")
    key = FLOW.silver.entry(2 if rows else 1)
    assert said.startswith(f"silver/{key} ") and len(said) < 1000


KNOWN = st.sampled_from([*Manifest.model_fields, "name", "expected", "found", "message"])
WITH_HALVES = st.text(st.characters())  # of surrogate pairs
ODD = nesting(
    scalars | st.floats() | st.integers(10**300, 10**400) | WITH_HALVES, KNOWN | WITH_HALVES
)
FIELDS = st.dictionaries(st.sampled_from([*Manifest.model_fields, "time", "block"]), ODD)


@given(FIELDS, ODD, st.binary(max_size=100), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_manifest_and_no_log_keeps_it_from_answering(world, seen, fields, value, tail, whole):
    manifest = {**json.loads(MANIFEST), **fields}
    text = json.dumps(manifest if whole else value).replace("Infinity", "1e999")
    put_version(world.lake, FLOW.silver, sealed_text(text))
    world.lake.store.put("gold", LOG, json.dumps({"message": value, **fields}).encode() + tail)
    world.lake.store.put("bronze", f"logs/b-{FLOW.bronze.block}.json", text.encode())
    found = seen.metrics()
    assert found["up",] == 1 and found["layer_failed", "gold"] == 1
    assert seen.error("gold")["failure"]
    assert seen.health()["store"] == "ok"


def test_a_version_is_read_once(world, operations, seen):
    for rows in (5, 6):
        publish(world.lake, FLOW.silver, rows)
        for _ in range(2):
            assert seen.metrics()["run_output_rows", "silver"] == rows
    read = [o.path for o in operations if "?" not in o.path]
    assert read == [f"/silver/{FLOW.silver.entry(number)}" for number in (1, 2)]


def test_a_manifest_that_is_too_large_to_look_at_is_not_read(world, seen, monkeypatch):
    monkeypatch.setattr(look, "LARGEST_MANIFEST", 100)
    put_version(world.lake, FLOW.silver, b"x" * 1234)
    assert seen.metrics()["layer_up", "silver"] == 0
    assert "has 1,234 bytes" in seen.problem("silver")


def of_objects(count):
    """A manifest that names so many objects, as long as real ones are."""
    entry = (
        '{"key":"data/breweries/country=United%%20States/state=Nova%%20York/%064d.parquet",'
        '"rows":4,"bytes":12345,"sha256":"%064d"}'
    )
    objects = ",\n".join(entry % (number, number) for number in range(count))
    return manifest_with(objects=f"[{objects}]", rows_out="1200000")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to see memory in")
def test_a_manifest_of_300_000_objects_fits_in_the_container(world):
    put_version(world.lake, FLOW.silver, of_objects(300_000))
    command = [sys.executable, "-m", "monitoring", "--port", "0"]
    with running(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().split()[-1]

        def rows():
            text = requests.get(url, timeout=PATIENCE).text
            return float(re.search(r'(?m)^lake_run_output_rows{.*layer="silver"} (.*)$', text)[1])

        wait_for(lambda: rows() == 1_200_000, 60)
        status = Path(f"/proc/{process.pid}/status").read_text()
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024
    assert peak < 0.75 * MEMORY_MIB


def test_200_scrapes_at_once_wait_for_nobody_who_says_nothing(page):
    """One after the other, the silent would keep them for ten minutes."""

    with ExitStack() as silent, ThreadPoolExecutor(200) as many:
        for _ in range(60):
            silent.enter_context(socket.create_connection(page.exporter.server_address))
        assert all(many.map(lambda _: page.get("/metrics").ok, range(200)))


def raw(page, sent):
    """The status line and the rest of the answer to some bytes."""
    with socket.create_connection(page.exporter.server_address, PATIENCE) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        with client.makefile("rb") as answer:
            return answer.readline().decode(), answer.read()


NAMED = b"GET /metrics HTTP/1.1\r\nHost: x\r\n"
REQUESTS = {
    "HEAD": (b"HEAD /metrics HTTP/1.1\r\n\r\n", 200),
    "POST": (b"POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 405),
    "another path": (b"GET /%00%ff/../metrics HTTP/1.1\r\n\r\n", 404),
    "a path of other letters": ("GET /métrics?é HTTP/1.1\r\n\r\n".encode(), 404),
    "a query": (b"GET /metrics?name[]=x HTTP/1.1\r\n\r\n", 200),
    "a header of 60,000 characters": (NAMED + b"Accept: " + b"a," * 30_000 + b"\r\n\r\n", 200),
    "a folded Accept": (
        NAMED + b"Accept: application/openmetrics-text;\r\n version=1.0.0\r\n x\r\n\r\n",
        200,
    ),
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_any_request_is_answered(page, kind, capfd):
    sent, status = REQUESTS[kind]
    line, rest = raw(page, sent)
    assert line.split()[1] == str(status)
    if kind == "HEAD":
        assert re.search(rb"Content-Length: [1-9]", rest) and rest.endswith(b"\r\n\r\n")
    assert not capfd.readouterr().err
    assert page.metrics()


MEDIA = st.sampled_from(["application/openmetrics-text", "text/plain", "*/*", ""])
WORD = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=8)


@given(MEDIA, WORD, WORD)
@example("application/openmetrics-text", "²", "")
@example("text/plain", "1", "\x85")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_accept_header_keeps_it_from_answering(page, media, version, escaping):
    accept = f"Accept: {media};version={version};escaping={escaping},{escaping}/{version}"
    line, rest = raw(page, NAMED + accept.encode("latin-1") + b"\r\n\r\n")
    assert line.split()[1] == "200" and b"lake_up" in rest


def test_clients_that_hang_up_are_nobody_s_loss(page, capfd):
    for sent in (b"", b"GET /met", NAMED, NAMED + b"\r\n"):
        for _ in range(10):
            with socket.create_connection(page.exporter.server_address) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                client.sendall(sent)  # and reset
    assert page.metrics()
    assert not capfd.readouterr().err


def test_what_nobody_foresaw_is_a_sentence_and_the_next_request_is_answered(see, capfd):
    seen = see(look=Mock(side_effect=[KeyError("half a \ud800 pair"), LakeLook.none([FLOW])]))
    answer = seen.get("/metrics")
    assert answer.status_code == 500
    assert answer.json()["error"].startswith("The exporter failed (KeyError: ")
    assert "KeyError" in capfd.readouterr().err
    assert seen.metrics()
