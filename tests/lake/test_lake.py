"""The lake's own promises, on a real store."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from data.breweries.flow import FLOW
from data.medallion.errors import SecretBlanked, SettingError
from data.medallion.host.console import show_messages
from data.medallion.lake import error_logs
from data.medallion.lake.errors import ManifestTooNew, ObjectUnreadable
from data.medallion.lake.manifest import StoredObject, check_seal, sealed
from data.medallion.stages import GOLD, SILVER
from data.medallion.step import Step
from tests.conftest import raw_get


@pytest.mark.usefixtures("filled")
def test_any_other_byte_of_an_entry_is_seen(world):
    content = raw_get(world.lake, "silver", FLOW.silver.entry(1))
    for at in range(0, len(content), 97):
        damaged = content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :]
        with pytest.raises(ValueError, match="sha256"):
            check_seal(damaged)
    check_seal(content)


@pytest.mark.usefixtures("filled")
def test_a_late_or_damaged_copy_of_the_newest_entry_misleads_nobody(world):
    log, store = world.lake.log(FLOW.silver), world.lake.store
    first = raw_get(world.lake, "silver", FLOW.silver.manifest)
    world.publish_manifest(FLOW.silver, world.manifest(FLOW.silver))
    for late in (first, b"", b"[" * 100_000):
        store.put("silver", FLOW.silver.manifest, late)
        assert log.newest().version == 2
    store.remove("silver", [FLOW.silver.manifest])
    assert log.newest().version == 2
    # And the other way round: a copy is as good as its entry.
    store.put("silver", FLOW.silver.manifest, raw_get(world.lake, "silver", FLOW.silver.entry(2)))
    store.remove("silver", [FLOW.silver.entry(2)])
    assert log.newest().version == 2


@pytest.mark.usefixtures("filled")
def test_a_version_of_a_later_release_is_not_guessed_at(world):
    newer = world.manifest(FLOW.silver).model_copy(update={"manifest_version": 99})
    world.publish_manifest(FLOW.silver, newer)
    with pytest.raises(ManifestTooNew, match="version 99, newer than our 3"):
        world.lake.version(FLOW.silver)
    content = raw_get(world.lake, "silver", FLOW.silver.manifest)
    log = world.fails(ManifestTooNew, "silver")
    assert "the release that wrote it" in log["message"]
    assert raw_get(world.lake, "silver", FLOW.silver.manifest) == content


@pytest.mark.usefixtures("filled")
def test_one_of_two_publishes_of_a_number_publishes(world):
    log, version = world.lake.log(FLOW.silver), world.manifest(FLOW.silver)
    runs = [version.model_copy(update={"version": 2, "run": f"{n}"}) for n in range(16)]
    with ThreadPoolExecutor(16) as pool:
        done = list(pool.map(log.append, runs))
    (winner,) = (run for run, content in zip(runs, done, strict=True) if content)
    assert log.entry(2).run == winner.run
    # Our own request, once more: it published all the same.
    assert log.append(winner) == sealed(winner)


def test_any_error_of_a_step_is_logged_with_its_attempt_and_without_secrets(world):
    world.set(BREWERIES_API_TOKEN="t-canary-1")

    def fail(step: Step):
        secrets = step.settings.lake.secret_key, step.settings.flow.api_token
        raise RuntimeError(" and ".join(one.get_secret_value() for one in secrets))

    made_from = {"run": world.earlier_run, "rows_out": 3}
    with pytest.raises(SecretBlanked, match=r"^RuntimeError: \*\*\* and \*\*\*$") as caught:
        replace(SILVER, work=fail).run(FLOW, {"retry": {"attempts": 2}}, made_from)
    assert caught.value.__cause__ is caught.value.__context__ is None
    log = world.logs("silver")[f"logs/{world.earlier_run}-transform_breweries.json"]
    assert (log["attempt"], log["working_on"]) == (2, made_from)
    assert (log["flow"], log["message"]) == ("breweries", "*** and ***")
    assert "RuntimeError: *** and ***" in log["traceback"]


def spooled(world, run, layer="silver"):
    """An error log that waits in the spool, and its file."""
    dataset = {"silver": FLOW.silver, "gold": FLOW.gold[0]}[layer]
    log = error_logs.describe(ValueError("x"), FLOW.name, dataset, run, 1, {})
    file = Path(error_logs.keep(log, world.folder / "spool", None))
    assert file == world.folder / "spool" / layer / f"{run}-{dataset.block}.json"
    return log, file


def test_spooled_logs_are_delivered_once(world):
    log, _ = spooled(world, "r")
    assert error_logs.deliver(world.folder / "spool", world.lake.store) == 1
    assert error_logs.deliver(world.folder / "spool", world.lake.store) == 0
    assert world.logs("silver") == {"logs/r-transform_breweries.json": json.loads(json.dumps(log))}


def test_two_runs_may_deliver_the_same_spool(world, monkeypatch):
    _, (_, second), _ = (spooled(world, f"r{number}") for number in range(3))
    put = world.lake.store.put

    def put_and_lose_the_second(*arguments):
        put(*arguments)
        second.unlink(missing_ok=True)

    monkeypatch.setattr(world.lake.store, "put", put_and_lose_the_second)
    assert error_logs.deliver(world.folder / "spool", world.lake.store) == 2


def test_a_spool_that_cannot_be_written_hides_no_error(world):
    world.set(LAKE_SPOOL="/proc/spool", MINIO_SECRET_KEY="")
    with pytest.raises(SettingError, match="MINIO_SECRET_KEY is required"):
        world.run(test=False)


@pytest.mark.parametrize("what", ["read", "list", "remove"])
def test_a_spool_of_another_user_is_told_and_survived(world, monkeypatch, capsys, what):
    (_, theirs), (_, ours) = spooled(world, "theirs"), spooled(world, "ours", "gold")
    where = {"read": (Path, "read_bytes"), "list": (Path, "iterdir"), "remove": (os, "access")}
    target = where[what]
    real = getattr(*target)

    def refuse(path, *arguments):
        if theirs.parent in (path, path.parent):
            if what == "remove":
                return False
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *arguments)

    monkeypatch.setattr(*target, refuse)
    show_messages("stdout")
    assert error_logs.deliver(world.folder / "spool", world.lake.store) == 1
    assert not ours.exists()
    assert f"{theirs.parent}" in (said := capsys.readouterr().out)
    assert "(Permission denied); give it to this user, or remove it" in said
    world.run(test=False)
    assert world.manifest(FLOW.chart_dataset)
    assert theirs.exists()


def test_a_log_that_no_spool_takes_goes_to_its_layer(world):
    world.set(LAKE_SPOOL="/proc/spool")
    with pytest.raises(ValueError, match="boom"):
        replace(SILVER, work=lambda step: 1 / int("boom")).run(FLOW, {}, {"run": world.earlier_run})
    assert list(world.logs("silver")) == [f"logs/{world.earlier_run}-transform_breweries.json"]


def test_a_folder_that_takes_no_picture_fails_no_chart(world, capsys):
    world.set(LAKE_VISUALIZATIONS="/proc/visualizations")
    world.run()
    assert world.manifest(FLOW.chart_dataset).rows_out
    said = capsys.readouterr().out
    assert "The chart is in gold, but not at /proc/visualizations/" in said
    assert "LAKE_VISUALIZATIONS" in said


@pytest.mark.parametrize(
    ("content", "key", "says"),
    [
        (b"no parquet", "", "{key} cannot be read"),
        (b"PAR1" + bytes(40) + b"PAR1", "", "{key} cannot be read"),
        (b"", "", "{key} cannot be read"),
        (None, "data/breweries/elsewhere.parquet", "its key has no country and state"),
    ],
)
@pytest.mark.usefixtures("filled")
def test_an_object_that_is_named_but_no_partition_in_parquet_is_told(world, content, key, says):
    manifest = world.manifest(FLOW.silver)
    first, *rest = manifest.objects
    if content is None:
        content = raw_get(world.lake, "silver", first.key)
    hostile = StoredObject.of(key or first.key, first.rows, content)
    world.lake.store.put("silver", hostile.key, content)
    world.publish_manifest(FLOW.silver, manifest.model_copy(update={"objects": (hostile, *rest)}))
    with pytest.raises(ObjectUnreadable, match=says.format(key=hostile.key)):
        GOLD.run(FLOW, {}, {"run": world.earlier_run})


def test_an_unforeseen_error_says_what_to_do(world, capsys):
    with pytest.raises(ZeroDivisionError):
        replace(SILVER, work=lambda step: 1 / 0).run(FLOW, {}, {"run": world.earlier_run})
    said = capsys.readouterr().out
    assert "ZeroDivisionError: division by zero" in said
    assert "run again, and if it comes back, report it with its error log" in said
    assert f"The error log is silver/logs/{world.earlier_run}-transform_breweries.json" in said
