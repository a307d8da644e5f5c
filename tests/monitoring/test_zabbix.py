"""The template and the set-up in a real Zabbix, from a block that fails to the messages."""

import html
import json
import time
import uuid
from contextlib import ExitStack

import pytest
import requests
import yaml

from compose.passwords import weak
from compose.zabbix import SHORTEST
from data.breweries.flow import FLOW
from data.medallion.host import envfile
from data.medallion.lake.batches import in_threads
from data.medallion.lake.datasets import LAYERS, LOGS
from data.medallion.lake.versions import Lake
from data.medallion.settings import LakeSettings
from monitoring import metrics
from monitoring.zabbix.__main__ import main
from monitoring.zabbix.setup import TEMPLATE, TEMPLATE_NAME
from tests.faults.runs import through_blocks
from tests.monitoring.seen import log_of
from tests.monitoring.servers import STATIONS_TOO, Messages, exporter, pipeline, settings_of
from tests.monitoring.stations import STATIONS
from tests.monitoring.zabbix import PASSWORD, VERSIONS, Zabbix, set_up, zabbix
from tests.programs import free_port
from tests.waiting import wait_for

MINUTE = 60
BY = ("slack", "mail")
DOWN = "The object store does not answer"
GONE = "The exporter does not answer"
ODD = 'broken "quotes" \\ {HOST.NAME} {$MACRO} {?last(//x)} <b>&amp; ção 🍺'


def numbers(found):
    if isinstance(found, dict):
        yield from (found[key] for key in found if key == "uuid")
        found = list(found.values())
    if isinstance(found, list):
        for one in found:
            yield from numbers(one)


def test_the_template_names_metrics_that_are_there():
    text = TEMPLATE.read_text(encoding="utf-8")
    template = yaml.safe_load(text)["zabbix_export"]["templates"][0]
    (rule,) = template["discovery_rules"]
    asked = {
        step["parameters"][0]
        for item in [rule, *template["items"], *rule["item_prototypes"]]
        for step in item.get("preprocessing", [])
        if step["type"].startswith("PROMETHEUS")
    }
    labels = {"layer": '{layer="{#LAYER}"}', "dataset": '{dataset="{#DATASET}"}'}
    labels["dataset,layer"] = '{dataset="{#DATASET}",layer="{#LAYER}"}'
    known = set()
    for name, _, told in (found.rstrip("}").partition("{") for found in metrics.names()):
        known |= {name, f"{name}{labels.get(told, '')}"}
    assert asked <= known
    of_one_layer = {expression for expression in asked if "_layer_" in expression}
    assert not {expression for expression in of_one_layer if "{" not in expression} - {
        "lake_layer_up"  # from which they are discovered
    }
    ours = list(numbers(yaml.safe_load(text)))
    assert len(set(ours)) == len(ours)
    assert all(uuid.UUID(number).version == 4 for number in ours)


@pytest.mark.parametrize("name", ["ZABBIX_PASSWORD", "ZABBIX_DB_PASSWORD"])
def test_a_secret_that_is_none_is_named_before_the_profile_starts(name):
    secrets = {"ZABBIX_PASSWORD": "12345678", "ZABBIX_DB_PASSWORD": "12345678"}
    assert not list(weak(secrets, SHORTEST))
    (sentence,) = weak({**secrets, name: "1234567"}, SHORTEST)
    assert sentence.startswith(f"{name} has 7 characters as Compose reads it and needs 8")


@pytest.fixture(params=VERSIONS, ids=lambda packages: packages.version)
def page(request):
    if not request.param.complete:
        pytest.skip(f"Zabbix {request.param.version} is missing: {request.param.remedy}")
    with zabbix(request.param) as address:
        yield address


def test_nobody_there_is_a_sentence():
    done = set_up(f"http://127.0.0.1:{free_port()}", "http://127.0.0.1:1")
    assert done.returncode == 1
    assert done.stderr.startswith("Zabbix does not answer at http://127.0.0.1:")
    assert len(done.stderr.splitlines()) == 1


def test_a_password_that_is_too_short_is_a_sentence():
    done = set_up("http://127.0.0.1:1", "http://127.0.0.1:1", ZABBIX_PASSWORD="short")
    assert done.stderr == "ZABBIX_PASSWORD needs 8 characters or more: set it in .env.\n"


@pytest.mark.waits
def test_from_a_block_that_fails_to_the_messages_and_back(page, tmp_path):
    """Then what else a set-up may meet; in one test, as Zabbix takes long to start."""
    from_a_block_that_fails_to_the_messages_and_back(page, tmp_path)
    what_cannot_be_is_a_sentence(page)
    a_way_that_is_no_longer_set_is_taken_away_and_others_stay(page)


def from_a_block_that_fails_to_the_messages_and_back(page, tmp_path):
    with ExitStack() as stack:
        flow = stack.enter_context(pipeline(tmp_path))
        messages = stack.enter_context(Messages())
        address = stack.enter_context(exporter(tmp_path, STATIONS_TOO))
        lake = Lake.connect(LakeSettings.load())
        store = lake.store
        store.create_bucket("gold")
        names = (log_of(f"{n:05}", FLOW.gold[0]) for n in range(1100))
        list(in_threads(8, lambda name: store.put("gold", name, b"{}"), names))
        store.create_bucket("silver")
        store.put("silver", "logs/old", b"of no dataset")
        assert flow.run() == 0, flow.log.read_text()[-3000:]

        done = set_up(page, f"http://{address}", **messages.settings)
        assert done.returncode == 0, done.stderr
        asked = Zabbix(page)
        before = asked.everything()
        done = set_up(page, f"http://{address}", **messages.settings)
        assert done.returncode == 0, done.stderr
        assert asked.everything() == before
        assert not asked.ask("mediatype.get", search={"smtp_server": "mail.example.org"})
        assert messages.url not in str(before)

        nowhere(asked)
        wait_for(lambda: well(asked), 2 * MINUTE)
        gold = lake.version(FLOW.gold[0]).rows_out
        assert rows(asked) == {"bronze": 600, "silver": 600, "gold": gold}
        assert not asked.problems("Lake")

        records, flow.api.records = flow.api.records, []
        assert flow.run() == 1
        (failed,) = (log.modified for log in lake.store.listed("bronze", LOGS).values())
        bronze = f"The bronze layer of breweries failed: {error(lake, 'bronze')}"
        told = messages.told("PROBLEM: The bronze layer of breweries failed", failed, *BY)
        print(f"error log to message: {told}")
        assert max(told.values()) < MINUTE
        assert list(asked.problems("Lake").values()) == [bronze]
        for text in newest(messages):
            assert bronze in text and "docs/monitoring.md#layer-failed" in text

        flow.api.records = records[:300]
        assert flow.run() == 1
        succeeded = time.time()
        silver = f"The silver layer of breweries failed: {error(lake, 'silver')}"
        assert "DriftStopped" in silver
        messages.told("PROBLEM: The silver layer of breweries failed", succeeded, *BY)
        told = messages.told("RESOLVED: The bronze layer of breweries failed", succeeded, *BY)
        print(f"success to message: {told}")
        lost = "The bronze layer of breweries has lost rows"
        wait_for(lambda: set(asked.problems("Lake").values()) == {silver, lost}, MINUTE)
        assert any(silver in text for text in told_by_slack(messages))

        flow.api.records = records
        assert flow.run() == 0
        flow.api.records = records[:-1]
        through_blocks((FLOW.bronze, FLOW.silver))
        time.sleep(1.1)
        store.put("bronze", log_of("1999", FLOW.bronze), b"\xff no JSON \0")
        store.put("silver", log_of("1", STATIONS.silver), b'{"message": "no stations"}')
        store.put("silver", "logs/strange", b"of no dataset")
        content = json.dumps({"time": "2199", "message": ODD}).encode()
        newest_of_gold = log_of("00007", FLOW.gold[0])
        store.put("gold", newest_of_gold, content)
        odd = f"The gold layer of breweries failed: {ODD}"
        wait_for(lambda: odd in asked.problems("Lake").values(), MINUTE)
        ended = {silver, lost}
        wait_for(lambda: not ended & set(asked.problems("Lake").values()), MINUTE)
        messages.told("PROBLEM: The gold layer of breweries failed", time.time(), *BY)
        theirs = "The silver layer of lightships failed"
        messages.told(f"PROBLEM: {theirs}", time.time(), *BY)
        messages.told("PROBLEM: A new error log is of no dataset", time.time(), *BY)
        assert f"{theirs}: no stations" in asked.problems("Lake").values()
        assert any(odd in text for text in told_by_slack(messages))
        assert any("no error log of ours" in p for p in asked.problems("Lake").values())
        assert not unsupported(asked)

        tight = {"STALE.TURNS": "0", "GRACE": "1s", "BEHIND": "1s", "REJECTED": "-1"}
        override(asked, **{f"{{$LAKE.{name}}}": value for name, value in tight.items()})
        layers = "The {} layer of breweries {}"
        warned = {layers.format("silver", what) for what in ("is stale", "rejects rows")}
        wait_for(lambda: warned <= set(asked.problems("Lake").values()), 2 * MINUTE)
        stale = {layers.format(layer, "is stale") for layer in ("bronze", "gold")}
        behind = layers.format("gold", "is behind")
        assert is_behind(asked, "gold")
        assert not {behind, *stale} & set(asked.problems("Lake").values())  # they failed

        store.remove("gold", [newest_of_gold])
        messages.told(f"PROBLEM: {behind}", time.time(), *BY)
        assert flow.run() == 0
        messages.told(f"RESOLVED: {behind}", time.time(), *BY)
        wait_for(lambda: stale <= set(asked.problems("Lake").values()), MINUTE)
        assert {title for title in messages.titles["mail"] if "behind" in title} == {
            f"{what}: {behind}" for what in ("PROBLEM", "RESOLVED")
        }

        # Behind again, but the store is gone before Zabbix has seen it twice.
        known = asked.problems("Lake")
        flow.api.records = records[:-2]
        through_blocks((FLOW.bronze, FLOW.silver))
        late = f'lake_layer_behind{{dataset="{FLOW.name}",layer="gold"}} 1'
        wait_for(
            lambda: late in requests.get(f"http://{address}/metrics", timeout=5).text, MINUTE, 0.1
        )
        gone = time.time()
        flow.store.close()
        told = messages.told(f"PROBLEM: {DOWN}", gone, *BY)
        print(f"store down to message: {told}")
        time.sleep(MINUTE / 2)
        new = asked.problems("Lake").items() - known.items()
        assert [name for _, name in new] == [DOWN]
        assert is_behind(asked, "gold")
        assert not unsupported(asked)
        wait_for(lambda: GONE in asked.problems("nowhere").values(), 2 * MINUTE)
        assert list(asked.problems("nowhere").values()) == [GONE]
        assert f"PROBLEM: {GONE}" in messages.titles["mail"]
        assert not messages.titles["gateway"]


def test_the_password_may_stand_in_the_file_beside_compose(monkeypatch, tmp_path, capsys):
    (tmp_path / ".env").write_text(f"ZABBIX_PASSWORD='{PASSWORD}'\n")
    monkeypatch.setattr(envfile, "DOTENV", tmp_path / ".env")
    monkeypatch.delenv("ZABBIX_PASSWORD", raising=False)
    assert main(["--url", "http://127.0.0.1:1"]) == 1
    assert "Zabbix does not answer at http://127.0.0.1:1" in capsys.readouterr().err


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


def told_by_slack(messages):
    return [html.unescape(post["attachments"][0]["text"]) for post in messages.posts["/slack"]]


def newest(messages):
    """What the newest message says, by each way."""
    return told_by_slack(messages)[-1], messages.mails[-1].get_content()


def nowhere(asked):
    """Another host with the template, on an exporter that is not there."""
    (group,) = asked.ask("hostgroup.get", filter={"name": "Lake"}, output=["groupid"])
    (template,) = asked.ask("template.get", filter={"host": TEMPLATE_NAME}, output=["templateid"])
    macro = {"macro": "{$LAKE.EXPORTER}", "value": f"http://127.0.0.1:{free_port()}"}
    asked.ask(
        "host.create", host="nowhere", groups=[group], templates=[template], macros=[macro]
    )  # fmt: skip


def well(asked):
    """Whether all layers are found and read."""
    items = asked.items("Lake")
    names = ("up", "rows_out", "failure")
    found = [items.get(key_of(name, layer)) for layer in LAYERS for name in names]
    return all(found) and all(float(item["lastvalue"]) == 1 for item in found[::3])


def rows(asked):
    items = asked.items("Lake")
    return {layer: float(items[key_of("rows_out", layer)]["lastvalue"]) for layer in LAYERS}


def is_behind(asked, layer):
    return float(asked.items("Lake")[key_of("behind", layer)]["lastvalue"]) == 1


def key_of(name, layer):
    return f"lake.layer.{name}[{FLOW.name},{layer}]"


def unsupported(asked):
    return {key: item["error"] for key, item in asked.items("Lake").items() if item["error"]}


def error(lake, layer):
    """The newest error log in a line, as it stands in the lake."""
    logs = lake.store.listed(layer, LOGS)
    key = max(logs, key=lambda key: logs[key].modified)
    log = json.loads(lake.store.get(layer, key))
    return " ".join(f"{log['exception_type']}: {log['message']}".split())[:400]


def override(asked, **macros):
    for macro, value in macros.items():
        asked.ask("usermacro.create", hostid=asked.host("Lake"), macro=macro, value=value)
