"""The page of a real lake: what runs publish, what `make report` makes, and what stops neither."""

from contextlib import redirect_stdout
from io import StringIO

import pytest

from data.breweries.flow import FLOW
from data.medallion.errors import SettingError
from data.medallion.lake.errors import StoreUnreachable
from data.medallion.lake.lake import Lake
from data.medallion.lake.manifest import Copy, StoredObject, sealed
from data.medallion.report import publishing
from data.medallion.report.facts import gather
from data.medallion.settings import LakeSettings
from data.medallion.source.errors import ApiEmpty
from sandbox import __main__ as sandbox
from sandbox.breweries.generator import generate
from tests.conftest import raw_get
from tests.reports import Elements

EVIL = "<script>alert(1)</script>"
STATES = ("California", "Ohio", "Bayern")


@pytest.fixture(scope="module")
def world(lasting_world):
    """A lake that one run has made, of few records."""
    first, *others = [r for r in generate(600, seed=1) if r["state_province"] in STATES]
    lasting_world.api.records = [*others, {**first, "name": EVIL}, {"id": "1"}, {"id": "2"}]
    lasting_world.set(BREWERIES_STOP_ON="none", BREWERIES_API_ATTEMPTS=1)
    lasting_world.run(test=False)
    return lasting_world


def made():
    """The page as `make report` makes it."""
    settings = LakeSettings.load()
    file, facts = publishing.write(Lake.connect(settings), FLOW, settings)
    return file.read_text(encoding="utf-8"), facts


def test_a_run_publishes_the_page_of_what_it_made(world):
    content = raw_get(world.lake, "gold", FLOW.report)
    assert (world.folder / "visualizations" / "breweries_report.html").read_bytes() == content
    copy = world.manifest(FLOW.chart_dataset).copy_at(FLOW.report)
    assert world.lake.read("gold", copy.object) == content
    found = world.lake.store._client.stat_object("gold", FLOW.report)
    assert found.content_type == "text/html; charset=utf-8"
    page, facts = made()
    assert page.encode() == content
    assert not facts.missing and not facts.errors
    assert {reason: one.count for reason, one in facts.rejects.items()} == {"no name": 2}
    silver = world.manifest(FLOW.silver)
    rows = silver.rows_out
    assert 0.5 * rows < sum(silver.profile.cells.values()) < rows
    assert f"{rows + 2} <span>fetched (bronze)</span> = {rows} <span>cleaned (silver)" in page
    assert "made these records up, in place of Open Brewery DB" in page
    assert "<script" not in page
    assert Elements(page).tags >= {"svg", "img", "table"}


def test_it_is_in_the_language_of_the_settings(world, monkeypatch):
    monkeypatch.setenv("REPORT_LANGUAGE", "pt-BR")
    assert "2 <span>inutilizáveis" in made()[0]
    monkeypatch.setenv("REPORT_LANGUAGE", "de")
    with pytest.raises(SettingError, match=r"^REPORT_LANGUAGE is not usable: .*'en' or 'pt-BR'"):
        LakeSettings.load()


def test_very_many_rejected_records_stream_by(world):
    line = '{"reason":"no %s","position":%d,"record":{"a":"' + "x" * 300 + '"}}'
    lines = ",\n".join(line % (("name", "id")[n % 2], n) for n in range(50_000))
    version, content = world.manifest(FLOW.silver), f"[\n{lines}\n]\n".encode()
    entry = StoredObject.of("objects/breweries/many.json", 50_000, content)
    world.lake.store.put("silver", entry.key, content)
    copies = (Copy(key=FLOW.rejected, object=entry), version.copy_at(FLOW.changes))
    world.publish_manifest(FLOW.silver, version.model_copy(update={"copies": copies}))
    page, facts = made()
    counts = {reason: (one.count, len(one.examples)) for reason, one in facts.rejects.items()}
    assert counts == {"no name": (25_000, 3), "no id": (25_000, 3)}
    assert len(page) < 500_000 and "50,000 records cannot be used" in page
    assert "these are of another version" in page


def test_a_page_that_cannot_be_made_stops_no_run(world, monkeypatch):
    secret = LakeSettings.load().secret_key.get_secret_value()

    def broken(*_):
        raise ZeroDivisionError(f"with {secret}")

    first, everything = world.manifest(FLOW.bronze).snapshot, world.api.records
    world.api.records = []
    assert "says it has no breweries" in world.fails(ApiEmpty, "bronze")["message"]
    page, facts = made()
    assert facts.errors["bronze"].exception_type == "ApiEmpty"
    assert "ApiEmpty" in page and "published since" not in page

    monkeypatch.setattr(publishing, "gather", broken)
    world.api.records = everything[1:]
    with redirect_stdout(StringIO()) as told:
        world.run(test=False)
    assert "The page of this run could not be made (ZeroDivisionError" in told.getvalue()
    assert "make report FLOW=breweries" in told.getvalue()
    assert secret not in told.getvalue() and not world.logs("gold")
    assert (
        world.manifest(FLOW.chart_dataset).snapshot == world.manifest(FLOW.bronze).snapshot > first
    )
    assert world.manifest(FLOW.chart_dataset).copy_at(FLOW.report) is None

    monkeypatch.undo()
    page, facts = made()
    assert [(one.snapshot, one.object.rows) for one in facts.kept] == [(first, len(everything))]
    assert facts.changes.counts.removed == 1 and "0 new, 1 gone, 0 changed" in page
    assert "published since" in page and first in page


@pytest.mark.parametrize("dataset", [d for d in FLOW.datasets if d != FLOW.bronze], ids=str)
def test_the_page_does_not_say_whole_of_what_it_has_not_seen(world, dataset):
    """It reads every object; the page of a run relies on what that run has read."""
    (entry, *_) = world.manifest(dataset).objects
    content = world.lake.read(dataset.layer, entry)
    world.lake.store.put(dataset.layer, entry.key, b"x" * len(content))
    try:
        page, facts = made()
        assert any(entry.key in sentence for sentence in facts.missing)
        assert "Not certain" in page
    finally:
        world.lake.store.put(dataset.layer, entry.key, content)


# It damages the lake.
def test_the_page_of_a_lake_that_is_not_whole(world):
    store, silver = world.lake.store, world.manifest(FLOW.silver)
    for key in store.listed("gold", FLOW.gold[0].prefix):
        store.remove("gold", [key])
    newer = world.manifest(FLOW.chart_dataset).model_copy(update={"manifest_version": 9})
    store.put("gold", FLOW.chart_dataset.manifest, sealed(newer))
    store.remove("silver", [silver.copy_at(FLOW.rejected).object.key])
    store.put("silver", silver.copy_at(FLOW.changes).object.key, b'{"run": 1}')
    page, facts = made()
    assert "Not certain" in page and "From the source to the tables" in page
    told = [sentence.partition("; ")[0].partition(" (")[0] for sentence in facts.missing]
    for sentence in (
        "There is no gold/data/state_brewery_type/_manifest.json yet",
        "gold/data/visualizations/_manifest.json is of version 9, newer than our 3",
        f"silver/{silver.copy_at(FLOW.rejected).object.key} is missing",
    ):
        assert sentence in told, told
    assert any("breweries_changes" in sentence for sentence in told)
    for dataset in FLOW.datasets:
        store.remove(dataset.layer, store.listed(dataset.layer, dataset.prefix))
    page, facts = made()
    assert "Nothing is published here yet" in page and len(facts.missing) == 4


def test_a_store_that_is_down_is_one_sentence(world, monkeypatch, capsys):
    monkeypatch.setenv("MINIO_ENDPOINT", "127.0.0.1:9")
    lake = Lake.connect(LakeSettings.load(), retry_more=False)
    with pytest.raises(StoreUnreachable, match="check MINIO_ENDPOINT"):
        gather(lake, FLOW)
    monkeypatch.setenv("MINIO_ENDPOINT", "nowhere/")
    assert sandbox.main(["report"]) == 1
    assert capsys.readouterr().err.count("\n") == 2  # the first line names the lake
