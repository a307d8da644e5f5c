import os
from dataclasses import replace

import pytest

from data.medallion.errors import SettingError, SettingsFileUnreadable
from data.medallion.rules import STOPPING
from data.medallion.settings import (
    HISTORY_VERSIONS,
    LakeSettings,
    Settings,
    known_secrets,
    spool_folder,
)
from tests.stations import STATIONS

GOOD = {
    "MINIO_ENDPOINT": "127.0.0.1:9000",
    "MINIO_ACCESS_KEY": "someone",
    "MINIO_SECRET_KEY": "canary-secret",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """Only the settings of the test, and a .env of its own."""
    for name in os.environ:
        if name.startswith(("AWS_", "MINIO_", "LAKE_", "DASK_", "STATIONS_")):
            monkeypatch.delenv(name)
    monkeypatch.setattr("data.medallion.host.envfile.DOTENV", tmp_path / ".env")
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def load():
    """All that a block of the stations reads."""
    return Settings(LakeSettings.load(), STATIONS.load_settings())


def test_defaults_are_those_of_the_lake_and_of_the_flow_s_api():
    lake, flow, api = LakeSettings.load(), STATIONS.load_settings(), STATIONS.api
    assert (lake.secure, lake.bucket_prefix, lake.region) == (False, "", "")
    assert (flow.api_url, flow.api_token.get_secret_value()) == (api.url, "")
    assert flow.api_page_size == api.page_size == 100
    assert flow.api_requests_per_minute == api.requests_per_minute == 120
    assert flow.stop_on == STOPPING


def test_each_flow_has_settings_of_its_own(environment):
    environment.setenv("STATIONS_API_CRAWLS", "5")
    environment.setenv("STATIONS_2_API_CRAWLS", "7")
    other = replace(STATIONS, name="stations_2")
    found = [flow.load_settings() for flow in (STATIONS, other, replace(STATIONS, name="other"))]
    assert [settings.api_crawls for settings in found] == [5, 7, 3]
    assert found[1].name_of("API_CRAWLS") == "STATIONS_2_API_CRAWLS"


@pytest.mark.parametrize("variable", GOOD)
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_setting_is_named(environment, variable, value):
    environment.delenv(variable) if value is None else environment.setenv(variable, value)
    with pytest.raises(SettingError) as caught:
        load()
    assert caught.value.facts == {"variable": variable, "problem": "is required and not set"}


@pytest.mark.parametrize(
    ("told", "missing"),
    [("MINIO_SESSION_TOKEN", "MINIO_ACCESS_KEY"), ("AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID"),
     ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")],
)  # fmt: skip
def test_the_other_half_of_a_pair_is_named(environment, told, missing):
    environment.setenv(told, "x")
    if told != "MINIO_SESSION_TOKEN":
        load()  # a whole pair wins
    environment.delenv("MINIO_ACCESS_KEY")
    environment.delenv("MINIO_SECRET_KEY")
    with pytest.raises(SettingError, match=f"^{missing} is required and not set; "):
        load()


MALFORMED = {
    "MINIO_ENDPOINT": [
        "http://127.0.0.1:9000", "127.0.0.1:9000\n", "127.0.0.1:port", "host/path",
        "me:canary-secret@host:9000",
    ],
    "MINIO_ACCESS_KEY": ["canary-key\r\n", " canary-key", "canary-clé", "canary,key"],
    "MINIO_SECRET_KEY": ["canary\tsecret", "canary-secret "],
    "MINIO_REGION": ["sa east 1"],
    "MINIO_SECURE": ["perhaps"],
    "MINIO_SESSION_TOKEN": ["canary token"],
    "AWS_ACCESS_KEY_ID": ["canary,key"],
    "LAKE_BUCKET_PREFIX": ["a/b", "-acme", "x" * 60],
    "LAKE_CA_FILE": ["/no/such/file.pem", __file__],
    "LAKE_LEASE_SECONDS": ["0"],
    "LAKE_STORE_TIMEOUT_SECONDS": ["soon"],
    "DASK_SCHEDULER_ADDRESS": ["scheduler:8786"],
    "STATIONS_API_URL": [
        "https://bücher.example/v1", "ftp://api.test", "https://api.test/v1?by_kind=sea",
        "https://me:canary-secret@api.test/v1",
    ],
    "STATIONS_API_PAGE_SIZE": ["101"],
    "STATIONS_API_TOKEN": [" canary-token", "canary-clé"],
    "STATIONS_STOP_ON": ["row_fall,storms"],
    "STATIONS_LARGEST_FALL_PERCENT": ["101"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("variable", "value"), [(name, value) for name, some in MALFORMED.items() for value in some]
)
def test_a_malformed_setting_is_named_and_not_shown(environment, variable, value):
    environment.setenv(variable, value)
    with pytest.raises(SettingError) as caught:
        load()
    assert caught.value.variable == variable
    assert caught.value.problem.startswith("is not usable: ")
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_contradiction_names_both_settings(environment):
    environment.setenv("STATIONS_API_TIME_LIMIT_SECONDS", "10")
    environment.setenv("STATIONS_API_TIMEOUT_SECONDS", "20")
    with pytest.raises(SettingError, match=r"_TIMEOUT_SECONDS is longer than STATIONS_API_TIME_L"):
        load()


def test_the_environment_wins_over_the_file(environment, tmp_path):
    environment.delenv("MINIO_ACCESS_KEY")
    lines = ["MINIO_ACCESS_KEY='from file'", "MINIO_ENDPOINT=file:9000", 'STATIONS_API_CRAWLS="5"']
    (tmp_path / ".env").write_text("\r\n".join(lines), encoding="utf-8-sig")
    settings = load()
    assert settings.lake.endpoint == GOOD["MINIO_ENDPOINT"]
    assert settings.lake.access_key.get_secret_value() == "from file"
    assert settings.flow.api_crawls == 5


def test_secrets_do_not_show(environment):
    environment.setenv("STATIONS_API_TOKEN", "canary-token")
    settings = load()
    assert known_secrets().text("a canary-token") == "a ***"
    dumped = f"{settings.lake.model_dump()} {settings.flow.model_dump()}"
    assert "canary" not in f"{settings!r} {settings} {dumped}"
    assert known_secrets().text("a canary-secret") == "a ***"


def test_a_secret_of_the_file_that_the_environment_hides_does_not_show_either(tmp_path):
    (tmp_path / ".env").write_text("MINIO_SECRET_KEY=canary-of-the-file\n")
    assert known_secrets().text("canary-secret, canary-of-the-file") == "***, ***"


@pytest.mark.parametrize(
    ("value", "rules"),
    [
        ("none", set()),
        ("row_fall", {"row_fall"}),
        (" new_field , row_fall", {"new_field", "row_fall"}),
        ("", STOPPING),
    ],
)
def test_the_rules_that_stop_are_a_list(environment, value, rules):
    environment.setenv("STATIONS_STOP_ON", value)
    assert load().flow.stop_on == rules


@pytest.mark.parametrize("secret", ["canary-clé-é", "canary $#'\"", "canary with spaces"])
def test_a_secret_of_any_letters_is_taken_and_blanked(environment, secret):
    environment.setenv("MINIO_SECRET_KEY", secret)
    assert load().lake.secret_key.get_secret_value() == secret
    assert "canary" not in known_secrets().text(f"the key is {secret}")


def test_a_file_that_is_no_text_is_named_with_its_line(environment, tmp_path):
    lines = "MINIO_REGION=x\n# São Paulo\nMINIO_SECRET_KEY=canary-of-the-file\n"
    (tmp_path / ".env").write_bytes(lines.encode("latin-1"))
    with pytest.raises(SettingsFileUnreadable) as caught:
        load()
    facts = {"variable": str(tmp_path / ".env"), "problem": "line 2 is not UTF-8"}
    assert caught.value.facts == facts and caught.value.__context__ is None
    assert spool_folder().name == ".spool"
    assert known_secrets().shows("canary-secret")


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path):
    (tmp_path / ".env").mkdir()
    with pytest.raises(SettingsFileUnreadable) as caught:
        load()
    assert caught.value.problem == "Is a directory"


@pytest.mark.parametrize(
    ("told", "versions", "days"),
    [
        ({}, HISTORY_VERSIONS, 0),
        ({"VERSIONS": "7"}, 7, 0),
        ({"DAYS": "90"}, 0, 90),
        ({"DAYS": "90", "VERSIONS": "7"}, 7, 90),
        ({"DAYS": "90", "VERSIONS": ""}, 0, 90),
        ({"DAYS": "0"}, HISTORY_VERSIONS, 0),
    ],
)
def test_where_only_days_are_set_their_number_has_no_limit(environment, told, versions, days):
    for name, value in told.items():
        environment.setenv(f"STATIONS_HISTORY_{name}", value)
    settings = load().flow
    assert (settings.history_versions, settings.history_days) == (versions, days)


def test_the_folder_of_the_spool_is_a_setting(environment, tmp_path):
    environment.setenv("LAKE_SPOOL", str(tmp_path))
    assert LakeSettings.load().spool == spool_folder() == tmp_path
