"""What happens to a lake, and who is told of it: one table of cases for each that watches."""

from __future__ import annotations

import html
import json
import os
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from data.breweries.flow import FLOW
from data.medallion.lake.batches import in_threads
from data.medallion.lake.datasets import LAYERS, LOGS
from data.medallion.lake.lake import Lake
from data.medallion.settings import LakeSettings
from tests.faults.runs import through_blocks
from tests.monitoring.seen import log_of, next_second
from tests.monitoring.servers import (
    STATIONS_TOO,
    Messages,
    Pipeline,
    alertmanager,
    exporter,
    pipeline,
    prometheus,
    settings_of,
)
from tests.monitoring.stations import STATIONS, publish
from tests.monitoring.zabbix import PASSWORD, VERSIONS, Zabbix, set_up, zabbix
from tests.programs import needs_prometheus
from tests.waiting import wait_for

MINUTE = 60
BY = ("slack", "mail")
DOWN = "The object store does not answer"
GONE = "The exporter does not answer"
BRONZE_FAILED = "The bronze layer of breweries failed"
SILVER_FAILED = "The silver layer of breweries failed"
STATIONS_FAILED = "The silver layer of lightships failed"
LOST_ROWS = "The bronze layer of breweries has lost rows"
BEHIND = "The gold layer of breweries is behind"
RUNBOOK = "docs/monitoring.md#layer-failed"
ODD = 'broken "quotes" \\ {HOST.NAME} {$MACRO} {?last(//x)} <b>&amp; ção 🍺'


@dataclass
class Stage:
    """A lake, what fills it, and where messages arrive."""

    flow: Pipeline
    lake: Lake
    messages: Messages
    exporter: str
    """Its `host:port`."""

    def run(self, records: Any, status: int = 0) -> float:
        """A run that ends so; the moment of its end, or of its error."""
        self.flow.api.records = records
        assert self.flow.run() == status, self.flow.log.read_text()[-3000:]
        logs = self.lake.store.listed("bronze", LOGS).values()
        return max(log.modified for log in logs) if status else time.time()

    def fail(self, dataset: Any, name: str, message: str) -> float:
        content = json.dumps({"time": "2199", "message": message}).encode()
        self.lake.store.put(dataset.layer, log_of(name, dataset), content)
        return time.time()

    def error(self, layer: str) -> str:
        """The newest error log in a line, as it stands in the lake."""
        logs = self.lake.store.listed(layer, LOGS)
        key = max(logs, key=lambda key: logs[key].modified)
        log = json.loads(self.lake.store.get(layer, key) or b"")
        return " ".join(f"{log['exception_type']}: {log['message']}".split())[:400]

    @property
    def slack(self) -> list[str]:
        """What Slack was told, below the titles."""
        posts = self.messages.posts["/slack"]
        return [html.unescape(post["attachments"][0]["text"]) for post in posts]


# What happens, and what lasts then.
CASES = [
    ("the API is empty", lambda s, _: s.run([], status=1), {BRONZE_FAILED}),
    (
        "another dataset fails too",
        lambda s, _: s.fail(STATIONS.silver, "1", "no stations"),
        {BRONZE_FAILED, STATIONS_FAILED},
    ),
    (
        "a good run, which hides no failure of the other",
        lambda s, records: s.run(records),
        {STATIONS_FAILED},
    ),
    ("a success of the other", lambda s, _: publish(s.lake, STATIONS.silver, 1), set()),
]


class Prometheus:
    """Prometheus and Alertmanager."""

    BEGINS = "FIRING"

    def __init__(self, stack: ExitStack, stage: Stage) -> None:
        folder = stage.flow.folder
        addresses = {
            "exporter": stage.exporter,
            "alertmanager": stack.enter_context(alertmanager(folder, **stage.messages.settings)),
            "minio": os.environ["MINIO_ENDPOINT"],
        }
        self.url = f"http://{stack.enter_context(prometheus(folder, **addresses))}/api/v1"

    def knows_the_rows(self) -> bool:
        asked = {"query": 'lake_run_output_rows{dataset="breweries"} > 0'}
        found = requests.get(f"{self.url}/query", asked, timeout=10).json()["data"]["result"]
        return {each["metric"]["layer"] for each in found} == set(LAYERS)

    def lasting(self) -> set[str]:
        answer = requests.get(f"{self.url}/alerts", timeout=10).json()
        assert "error expanding" not in str(answer)
        firing = [alert for alert in answer["data"]["alerts"] if alert["state"] == "firing"]
        return {alert["annotations"]["summary"] for alert in firing}

    def go_on(self, stage: Stage) -> set[str]:
        return self.lasting()

    def end(self, stage: Stage, gone: float) -> None:
        """Of what is critical and lasts, the gateway is told too."""
        told = stage.messages.told(f"FIRING: {DOWN}", gone, "gateway")
        print(f"store down to the gateway: {told}")
        assert self.lasting() == {DOWN}
        # On a slow machine, other failures last long enough for the gateway.
        titles = stage.messages.titles["gateway"]
        assert [title for title in titles if "failed" not in title] == [f"FIRING: {DOWN}"]


class OfZabbix:
    """Zabbix, as our command sets it up: once more changes nothing."""

    BEGINS = "PROBLEM"

    def __init__(self, page: str, stage: Stage) -> None:
        self.page = page
        address, ways = f"http://{stage.exporter}", stage.messages.settings
        done = set_up(page, address, **ways)
        assert done.returncode == 0, done.stderr
        self.asked = Zabbix(page)
        before = self.asked.everything()
        assert set_up(page, address, **ways).returncode == 0
        assert self.asked.everything() == before
        assert not self.asked.ask("mediatype.get", search={"smtp_server": "mail.example.org"})
        assert stage.messages.url not in str(before)

    def knows_the_rows(self) -> bool:
        values = [self.value("rows_out", layer) for layer in LAYERS]
        return all(values) and all(self.value("up", layer) == 1 for layer in LAYERS)

    def value(self, name: str, layer: str) -> float:
        item = self.asked.items("Lake").get(f"lake.layer.{name}[{FLOW.name},{layer}]", {})
        return float(item.get("lastvalue", 0))

    def problems(self) -> set[str]:
        """Those that last, with what their error logs say."""
        return set(self.asked.problems("Lake").values())

    def lasting(self) -> set[str]:
        return {problem.partition(": ")[0] for problem in self.problems()}

    def wait_for(self, *problems: str) -> None:
        wait_for(lambda: self.problems() >= {*problems}, 2 * MINUTE)

    def go_on(self, stage: Stage) -> set[str]:
        """What else Zabbix sees; what lasts after it."""
        self.asked.add_host("nowhere", exporter="http://127.0.0.1:9")
        records = stage.flow.api.records
        self.see_what_an_error_log_says(stage, records)
        self.see_what_is_late(stage, records)
        lasting = self.lasting()
        # Behind again, but the store is gone before Zabbix has seen it twice.
        stage.flow.api.records = records[:-2]
        through_blocks((FLOW.bronze, FLOW.silver))
        late = f'lake_layer_behind{{dataset="{FLOW.name}",layer="gold"}} 1'
        metrics = f"http://{stage.exporter}/metrics"
        wait_for(lambda: late in requests.get(metrics, timeout=60).text, MINUTE, 0.1)
        return lasting

    def see_what_an_error_log_says(self, stage: Stage, records: Any) -> None:
        told = stage.messages.told
        began = stage.run(records[:300], status=1)
        silver = f"{SILVER_FAILED}: {stage.error('silver')}"
        assert "DriftStopped" in silver
        told(f"PROBLEM: {SILVER_FAILED}", began, *BY)
        wait_for(lambda: self.problems() == {silver, LOST_ROWS}, MINUTE)
        mails = [mail.get_content() for mail in stage.messages.mails]
        for texts in (stage.slack, mails):
            assert any(silver in text and RUNBOOK in text for text in texts)

        stage.run(records)
        stage.flow.api.records = records[:-1]
        through_blocks((FLOW.bronze, FLOW.silver))
        next_second()
        stage.lake.store.put("bronze", log_of("1999", FLOW.bronze), b"\xff no JSON \0")
        stage.lake.store.put("silver", "logs/strange", b"of no dataset")
        stage.fail(STATIONS.silver, "2", "no stations")
        stage.fail(FLOW.gold[0], "00007", ODD)
        odd = f"The gold layer of breweries failed: {ODD}"
        self.wait_for(odd, f"{STATIONS_FAILED}: no stations")
        wait_for(lambda: not {silver, LOST_ROWS} & self.problems(), MINUTE)
        for title in (odd.partition(":")[0], STATIONS_FAILED, "A new error log is of no dataset"):
            told(f"PROBLEM: {title}", time.time(), *BY)
        assert any(odd in text for text in stage.slack)
        assert any("no error log of ours" in problem for problem in self.problems())
        assert not self.unsupported()

    def see_what_is_late(self, stage: Stage, records: Any) -> None:
        told = stage.messages.told
        # Longer than an interval: a store that is gone is known before what follows from it.
        tight = {"STALE.TURNS": "0", "GRACE": "20s", "BEHIND": "20s", "REJECTED": "-1"}
        lake = self.asked.host("Lake")
        for name, value in tight.items():
            macro = f"{{$LAKE.{name}}}"
            self.asked.ask("usermacro.create", hostid=lake, macro=macro, value=value)
        layers = "The {} layer of breweries {}"
        bronze, silver, gold = (layers.format(layer, "is stale") for layer in LAYERS)
        self.wait_for(silver, layers.format("silver", "rejects rows"))
        assert self.value("behind", "gold") == 1
        assert not {BEHIND, bronze, gold} & self.problems()  # they failed

        stage.lake.store.remove("gold", [log_of("00007", FLOW.gold[0])])
        told(f"PROBLEM: {BEHIND}", time.time(), *BY)
        stage.run(records)
        told(f"RESOLVED: {BEHIND}", time.time(), *BY)
        self.wait_for(bronze, silver, gold)
        titles = [title for title in stage.messages.titles["mail"] if BEHIND in title]
        assert titles == [f"{what}: {BEHIND}" for what in ("PROBLEM", "RESOLVED")]

    def unsupported(self) -> dict[str, str]:
        items = self.asked.items("Lake")
        return {key: item["error"] for key, item in items.items() if item["error"]}

    def end(self, stage: Stage, gone: float) -> None:
        time.sleep(MINUTE / 2)
        assert self.value("behind", "gold") == 1
        assert BEHIND not in self.problems()
        assert not self.unsupported()
        wait_for(lambda: GONE in self.asked.problems("nowhere").values(), 2 * MINUTE)
        assert list(self.asked.problems("nowhere").values()) == [GONE]
        assert f"PROBLEM: {GONE}" in stage.messages.titles["mail"]
        assert not stage.messages.titles["gateway"]
        what_cannot_be_is_a_sentence(self.page)
        a_way_that_is_no_longer_set_is_taken_away_and_others_stay(self.page)


def what_cannot_be_is_a_sentence(page):
    assert set_up(page, "http://127.0.0.1:1").returncode == 0
    done = set_up(page, "http://127.0.0.1:1", ZABBIX_PASSWORD="another-password")
    assert done.returncode == 1
    assert "ZABBIX_PASSWORD is not the password of Admin" in done.stderr
    assert "another-password" not in done.stderr and PASSWORD not in done.stderr
    done = set_up(page, "http://127.0.0.1:1", ALERT_EMAIL_TO="a@example.org")
    assert done.stderr == "ALERT_EMAIL_TO is set, but ALERT_EMAIL_FROM is not: set it in .env.\n"


def a_way_that_is_no_longer_set_is_taken_away_and_others_stay(page):
    asked = Zabbix(page)
    ways = settings_of("http://127.0.0.1:9", 25)
    assert set_up(page, "http://127.0.0.1:1", **ways).returncode == 0
    (added,) = asked.ask("mediatype.get", filter={"name": "SMS"}, output=["mediatypeid"])
    (user,) = asked.ask("user.get", filter={"username": "lake"}, selectMedias="extend")
    media = [{"mediatypeid": one["mediatypeid"], "sendto": one["sendto"]} for one in user["medias"]]
    assert len(media) == 2
    sms = {"mediatypeid": added["mediatypeid"], "sendto": "+1"}
    asked.ask("user.update", userid=user["userid"], medias=[*media, sms])
    assert set_up(page, "http://127.0.0.1:1").stdout.endswith("its page alone.\n")
    (user,) = asked.ask("user.get", filter={"username": "lake"}, selectMedias="extend")
    assert [one["sendto"] for one in user["medias"]] == ["+1"]


@pytest.fixture
def stage(tmp_path):
    """After a good run that had 1,100 error logs before it, and one of no dataset."""
    with (
        pipeline(tmp_path) as flow,
        Messages() as messages,
        exporter(tmp_path, STATIONS_TOO) as address,
    ):
        lake = Lake.connect(LakeSettings.load())
        for layer in LAYERS:
            lake.store.create_bucket(layer)
        names = (log_of(f"{n:05}", FLOW.gold[0]) for n in range(1100))
        list(in_threads(8, lambda name: lake.store.put("gold", name, b"{}"), names))
        lake.store.put("silver", "logs/old", b"of no dataset")
        next_second()
        stage = Stage(flow, lake, messages, address)
        stage.run(flow.api.records)
        yield stage


@pytest.fixture(
    params=[
        pytest.param(None, marks=needs_prometheus, id="Prometheus"),
        *(pytest.param(packages, id=f"Zabbix {packages.version}") for packages in VERSIONS),
    ]
)
def system(request, stage):
    """What watches the lake."""
    with ExitStack() as stack:
        if request.param is None:
            yield Prometheus(stack, stage)
        elif not request.param.complete:
            pytest.skip(f"Zabbix {request.param.version} is missing: {request.param.remedy}")
        else:
            yield OfZabbix(stack.enter_context(zabbix(request.param)), stage)


@pytest.mark.waits
def test_who_should_know_does_within_a_minute_and_nobody_else(stage, system):
    records, lasting, titles = stage.flow.api.records, set(), []
    wait_for(system.knows_the_rows, 2 * MINUTE)
    assert not system.lasting()
    for name, happens, expected in CASES:
        began = happens(stage, records) or time.time()
        new = [f"{system.BEGINS}: {title}" for title in expected - lasting]
        new += [f"RESOLVED: {title}" for title in lasting - expected]
        for title in new:
            told = stage.messages.told(title, began, *BY)
            print(f"{name}: {told}")
            assert max(told.values()) < (2 * MINUTE if "RESOLVED" in title else MINUTE)
        assert system.lasting() == expected
        titles, lasting = titles + new, expected
    assert [stage.messages.titles[way] for way in BY] == [titles] * 2
    assert any(RUNBOOK in text for text in stage.slack)

    lasting, gone = system.go_on(stage), time.time()
    stage.flow.store.close()
    print(f"store down to message: {stage.messages.told(f'{system.BEGINS}: {DOWN}', gone, *BY)}")
    assert system.lasting() - lasting == {DOWN}
    system.end(stage, gone)
