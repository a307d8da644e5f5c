"""What docker-compose says to an .env that cannot work, a taken port, a volume of no use."""

import shutil
import socket

import pytest


@pytest.mark.parametrize("as_the_example", [False, True])
def test_without_secrets_it_names_the_remedy(project, as_the_example):
    if as_the_example:  # whose placeholders are no secrets
        shutil.copy(project.folder / ".env.example", project.folder / ".env")
    done = project.compose("up", "-d", check=False)
    assert done.returncode != 0
    assert "There are no secrets in .env. Run make env, which writes one." in done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("MINIO_SECRET_KEY", "", "MINIO_SECRET_KEY is required and not set: run make env"),
        ("MINIO_SECRET_KEY", "short", "MINIO_SECRET_KEY has 5 characters as Compose reads it"),
        ("MINIO_ACCESS_KEY", "minioadmin", "MINIO_ACCESS_KEY is a value that everybody knows"),
        ("DEFAULT_OWNER_PASSWORD", "admin", "DEFAULT_OWNER_PASSWORD is a value that everybody"),
        ("JWT_SECRET", "materia", "JWT_SECRET is a value that everybody knows"),
        ("ALERT_EMAIL_TO", "me@example.org", "ALERT_EMAIL_TO is set, but ALERT_SMTP_HOST is not"),
        ("MAGE_RETENTION_DAYS", "30d", "MAGE_RETENTION_DAYS is no whole number of days"),
        ("MAGE_UID", "4242", "./data cannot be written by user 4242, as which Mage runs"),
    ],
)
def test_a_setting_that_cannot_work_stops_it_with_a_sentence(project, variable, value, sentence):
    project.prepare(**{variable: value})
    done = project.run("make", "up", f"COMPOSE={' '.join(project.command)}", check=False)
    assert done.returncode != 0
    assert sentence in done.stdout + done.stderr


def test_a_taken_port_is_named(project):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        project.prepare(MINIO_PORT=port)
        done = project.compose("up", "-d", check=False)
    assert done.returncode != 0
    assert f"127.0.0.1:{port}" in done.stderr and "in use" in done.stderr


@pytest.mark.parametrize(
    ("mounts", "sentence"),
    [
        (
            ("--tmpfs", "/volumes/mage:size=1m", "-v", "/volumes/minio"),
            "The volume mage has 1 MiB left and needs 64",
        ),
        (
            ("-v", "{folder}:/volumes/minio:ro", "-v", "/volumes/mage"),
            "The volume minio cannot be handed to user 1000: Read-only file system",
        ),
    ],
)
def test_a_volume_of_no_use_is_named(project, mounts, sentence):
    project.prepare()
    project.compose("build", "mage")
    data = ("-v", "{folder}/data:/app/data")
    volumes = [word.format(folder=project.folder) for word in (*data, *mounts)]
    prepare = ("breweries-mage", "python", "-m", "compose.prepare")
    started = ("docker", "run", "--rm", "--user", "0", "--env-file", ".env", *volumes)
    done = project.run(*started, *prepare, check=False)
    assert done.returncode == 1
    assert sentence in done.stderr
