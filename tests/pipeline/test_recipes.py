"""The documents' programs, run as they stand there."""

import pytest
from minio.error import S3Error

from data.breweries.flow import FLOW
from tests.docs.commands import FOLLOWED
from tests.docs.pages import PAGES, page


def program(page):
    return "\n".join(block.text for block in page.blocks if block.language == "python")


LAKE = program(page("docs/lake.md"))
OTHERS = [p for p in PAGES if program(p) not in {"", LAKE} and p.original not in FOLLOWED]


@pytest.fixture
def run(world, store):
    """Runs a program on a lake of 600 breweries; what it named."""
    if store.get("MINIO_SECURE") == "true":
        pytest.skip("the recipes read a store without TLS")
    world.run(test=False)
    file = world.folder / "store.env"
    file.write_text("".join(f"{name}={value}\n" for name, value in store.items()))

    def run(text):
        names = {}
        text = text.replace(".sandbox/demo/store.env", str(file))
        exec(compile(text, "a document", "exec"), names)  # noqa: S102 - our own
        return names

    return run


def test_the_recipes_read_the_lake(run, capsys):
    names = run(LAKE)
    assert names["silver"].num_rows == 600
    assert set(names["silver"].column_names) >= {"id", "country", "state", "latitude"}
    assert "United States" in capsys.readouterr().out


@pytest.mark.parametrize("page", OTHERS, ids=str)
def test_every_other_program_runs(run, page):
    run(program(page))


def test_a_reader_of_a_version_that_is_replaced_reads_the_new_one(run, world):
    names = run(LAKE)
    follow, read_names = names["follow"], names["names"]
    world.set(BREWERIES_STOP_ON="none")
    runs = []

    def read(manifest):
        runs.append(manifest["run"])
        if len(runs) == 1:
            world.api.records = world.api.records[:400]
            world.run(test=False)
        return read_names(manifest)

    assert len(follow("silver", FLOW.silver.manifest, read)) == 400
    assert len(runs) == 2
    world.lake.store.remove("silver", [world.manifest(FLOW.silver).objects[0].key])
    with pytest.raises(S3Error, match="NoSuchKey"):
        follow("silver", FLOW.silver.manifest, read_names)
