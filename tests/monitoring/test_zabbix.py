"""The template names what is there, and the set-up says what cannot be."""

import re
import uuid

import pytest
import yaml

from compose.passwords import weak
from compose.zabbix import SHORTEST
from data.medallion.host import envfile
from monitoring import metrics
from monitoring.zabbix.__main__ import main
from monitoring.zabbix.setup import TEMPLATE
from tests.monitoring.zabbix import PASSWORD, set_up


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
    ours = re.findall(r"\buuid: (.+)", text)
    assert len(set(ours)) == len(ours) > 20
    assert all(uuid.UUID(number).version == 4 for number in ours)


@pytest.mark.parametrize("name", ["ZABBIX_PASSWORD", "ZABBIX_DB_PASSWORD"])
def test_a_secret_that_is_none_is_named_before_the_profile_starts(name):
    secrets = {"ZABBIX_PASSWORD": "12345678", "ZABBIX_DB_PASSWORD": "12345678"}
    assert not list(weak(secrets, SHORTEST))
    (sentence,) = weak({**secrets, name: "1234567"}, SHORTEST)
    assert sentence.startswith(f"{name} has 7 characters as Compose reads it and needs 8")


def test_a_password_that_is_too_short_is_a_sentence():
    done = set_up("http://127.0.0.1:1", "http://127.0.0.1:1", ZABBIX_PASSWORD="short")
    assert done.stderr == "ZABBIX_PASSWORD needs 8 characters or more: set it in .env.\n"


def test_the_password_is_read_of_the_file_and_nobody_there_is_told(monkeypatch, tmp_path, capsys):
    (tmp_path / ".env").write_text(f"ZABBIX_PASSWORD='{PASSWORD}'\n")
    monkeypatch.setattr(envfile, "DOTENV", tmp_path / ".env")
    monkeypatch.delenv("ZABBIX_PASSWORD", raising=False)
    assert main(["--url", "http://127.0.0.1:1"]) == 1
    told = capsys.readouterr().err
    assert "Zabbix does not answer at http://127.0.0.1:1" in told and len(told.splitlines()) == 1
