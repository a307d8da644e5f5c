import os

import pytest

from data.medallion.errors import SettingError, SettingsFileUnreadable
from data.medallion.layers.drift import STOPPING
from data.medallion.settings import LakeSettings, known_secrets, spool_folder

GOOD = {
    "MINIO_ENDPOINT": "127.0.0.1:9000",
    "MINIO_ACCESS_KEY": "someone",
    "MINIO_SECRET_KEY": "canary-secret",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """Only the settings of the test, and a .env of its own."""
    for name in os.environ:
        if name.startswith(("MINIO_", "BREWERIES_")):
            monkeypatch.delenv(name)
    monkeypatch.setattr("data.medallion.settings.DOTENV", tmp_path / ".env")
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_defaults_are_those_of_the_contract():
    settings = LakeSettings.load()
    assert settings.api_url == "https://api.openbrewerydb.org/v1/breweries"
    assert settings.secure is False
    assert settings.api_page_size == 200


@pytest.mark.parametrize("variable", GOOD)
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_setting_is_named(environment, variable, value):
    environment.delenv(variable) if value is None else environment.setenv(variable, value)
    with pytest.raises(SettingError, match=f"^{variable} is required and not set; ") as caught:
        LakeSettings.load()
    assert caught.value.variable == variable


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MINIO_ENDPOINT", "http://127.0.0.1:9000"),
        ("MINIO_ENDPOINT", "127.0.0.1:9000\n"),
        ("MINIO_ACCESS_KEY", "canary-key\n"),
        ("MINIO_ACCESS_KEY", "canary-key\r\n"),
        ("MINIO_ACCESS_KEY", " canary-key"),
        ("MINIO_ACCESS_KEY", "canary-clé"),
        ("MINIO_ACCESS_KEY", "canary,key"),
        ("MINIO_ACCESS_KEY", "canary=key"),
        ("MINIO_SECRET_KEY", "canary-secret\n"),
        ("MINIO_SECRET_KEY", "canary\tsecret"),
        ("MINIO_SECRET_KEY", "canary-secret "),
        ("MINIO_REGION", "sa east 1"),
        ("MINIO_REGION", "São Paulo"),
        ("BREWERIES_API_URL", "https://api.openbrewerydb.org/v1/breweries\n"),
        ("BREWERIES_API_URL", "https://bücher.example/v1"),
        ("LAKE_LEASE_SECONDS", "15\n"),
        ("MINIO_ENDPOINT", "127.0.0.1:port"),
        ("MINIO_ENDPOINT", "host/path"),
        ("MINIO_ENDPOINT", "me:canary-secret@host:9000"),
        ("MINIO_SECURE", "perhaps"),
        ("MINIO_CA_FILE", "/no/such/file.pem"),
        ("LAKE_LEASE_SECONDS", "0"),
        ("LAKE_TURN_LIMIT_SECONDS", "-1"),
        ("BREWERIES_HISTORY_VERSIONS", "-1"),
        ("BREWERIES_STOP_ON", "row_fall,storms"),
        ("BREWERIES_LARGEST_FALL_PERCENT", "101"),
        ("BREWERIES_API_URL", "api.openbrewerydb.org"),
        ("BREWERIES_API_URL", "ftp://api.openbrewerydb.org"),
        ("BREWERIES_API_URL", "https://me:canary-secret@api.openbrewerydb.org/v1"),
        ("BREWERIES_API_URL", "https://api.openbrewerydb.org/v1?by_type=micro"),
        ("BREWERIES_API_PAGE_SIZE", "0"),
        ("BREWERIES_API_PAGE_SIZE", "201"),
        ("BREWERIES_API_PAGE_SIZE", "many"),
        ("BREWERIES_API_CONNECTIONS", "0"),
        ("BREWERIES_API_REQUESTS_PER_MINUTE", "-1"),
        ("BREWERIES_API_TIMEOUT_SECONDS", "0"),
        ("BREWERIES_API_ATTEMPTS", "0"),
        ("BREWERIES_API_BACKOFF_SECONDS", "-1"),
        ("BREWERIES_API_TIME_LIMIT_SECONDS", "0"),
        ("BREWERIES_API_CRAWLS", "0"),
        ("LAKE_STORE_CONNECTIONS", "0"),
        ("LAKE_STORE_TIMEOUT_SECONDS", "soon"),
    ],
)
def test_a_malformed_setting_is_named_and_not_shown(environment, variable, value):
    environment.setenv(variable, value)
    with pytest.raises(SettingError, match=f"^{variable} is not usable: ") as caught:
        LakeSettings.load()
    assert str(caught.value).count(". ") <= 1
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_contradiction_names_both_settings(environment):
    environment.setenv("BREWERIES_API_TIME_LIMIT_SECONDS", "10")
    environment.setenv("BREWERIES_API_TIMEOUT_SECONDS", "20")
    with pytest.raises(
        SettingError,
        match="BREWERIES_API_TIMEOUT_SECONDS is longer than BREWERIES_API_TIME_LIMIT_SECONDS",
    ):
        LakeSettings.load()


def test_the_environment_wins_over_the_file(environment, tmp_path):
    environment.delenv("MINIO_ACCESS_KEY")
    lines = ["MINIO_ENDPOINT=file:9000", "MINIO_ACCESS_KEY='from file'", 'BREWERIES_API_CRAWLS="5"']
    (tmp_path / ".env").write_text("\r\n".join(lines))
    settings = LakeSettings.load()
    assert settings.endpoint == GOOD["MINIO_ENDPOINT"]
    assert settings.access_key.get_secret_value() == "from file"
    assert settings.api_crawls == 5


def test_secrets_do_not_show():
    settings = LakeSettings.load()
    assert "canary" not in f"{settings!r} {settings} {settings.model_dump()}"
    assert known_secrets().text("a canary-secret") == "a ***"


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
    environment.setenv("BREWERIES_STOP_ON", value)
    assert LakeSettings.load().stop_on == rules


def test_an_authority_without_https_is_a_contradiction(environment, tmp_path):
    file = tmp_path / "ca.pem"
    file.touch()
    environment.setenv("MINIO_CA_FILE", str(file))
    with pytest.raises(SettingError, match="MINIO_CA_FILE is set, but MINIO_SECURE is not true"):
        LakeSettings.load()


@pytest.mark.parametrize("secret", ["canary-clé-é", "canary $#'\"", "canary with spaces"])
def test_a_secret_of_any_letters_is_taken_and_blanked(environment, secret):
    environment.setenv("MINIO_SECRET_KEY", secret)
    assert LakeSettings.load().secret_key.get_secret_value() == secret
    assert "canary" not in known_secrets().text(f"the key is {secret}")


def test_an_empty_secret_blanks_nothing(environment):
    environment.setenv("MINIO_ACCESS_KEY", "")
    environment.setenv("MINIO_SECRET_KEY", "")
    assert known_secrets().text("every letter stays") == "every letter stays"


def test_a_file_that_begins_with_a_mark_is_read(environment, tmp_path):
    environment.delenv("MINIO_ENDPOINT")
    (tmp_path / ".env").write_text("MINIO_ENDPOINT=file:9000\n", encoding="utf-8-sig")
    assert LakeSettings.load().endpoint == "file:9000"


def test_a_file_that_is_no_text_is_named_with_its_line(environment, tmp_path):
    lines = "MINIO_REGION=x\n# São Paulo\nMINIO_SECRET_KEY=canary-of-the-file\n"
    (tmp_path / ".env").write_bytes(lines.encode("latin-1"))
    with pytest.raises(
        SettingsFileUnreadable, match=r"\.env cannot be read \(line 2 is not UTF-8\)"
    ) as c:
        LakeSettings.load()
    assert "canary" not in repr(c.value.facts)
    assert c.value.__context__ is None
    assert spool_folder().name == ".spool"
    assert known_secrets().shows("canary-secret")


def test_a_file_that_is_not_for_this_user_is_named(environment, tmp_path):
    (tmp_path / ".env").write_text("MINIO_REGION=x")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    environment.setattr("pathlib.Path.read_text", refuse)
    with pytest.raises(SettingsFileUnreadable, match=r"\(Permission denied\); save it as UTF-8"):
        LakeSettings.load()


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path):
    (tmp_path / ".env").mkdir()
    with pytest.raises(SettingsFileUnreadable, match=r"\(Is a directory\)"):
        LakeSettings.load()
