"""What holds for every flow, as a class of tests: `TestBreweries = tests_of(FLOW)`."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.medallion import project
from data.medallion.flow import Flow
from data.medallion.host.envfile import PROJECT
from data.medallion.lake.lake import Lake
from data.medallion.lake.manifest import Manifest
from data.medallion.lake.partitions import Partitioning
from data.medallion.layers import gold
from data.medallion.layers.silver.cleaner import Cleaner
from data.medallion.stages import BRONZE, GOLD, SILVER
from data.medallion.table import Column, Table
from tests.cleaning import clean, nesting, scalars
from tests.conftest import raw_get, without_run
from tests.lakes import site_on
from tests.stations import InMemory

SCREEN = 30, 88
"""Lines, and characters of a line."""

EXAMPLES = 8
"""Of a test that runs the whole chain, which takes a second."""

text = st.text(max_size=12)
anything = nesting(scalars | st.sampled_from(["", " ", "\ud800", "x" * 300]), leaves=4)


def tests_of(flow: Flow, in_project: bool = True) -> type:
    """The tests of a flow.

    Args:
        flow: the one.
        in_project: whether it has blocks and a pipeline; a flow of tests alone has none.
    """
    records = records_of(flow.table)
    lists = st.lists(records, min_size=1, max_size=30)

    class FlowTests:
        def test_it_is_declared_well(self) -> None:
            flow.check()

        @given(lists, st.integers(0, 1 << 40))
        def test_any_record_becomes_a_row_or_is_rejected(
            self, received: list[Any], start: int
        ) -> None:
            texts = [json.dumps(record).encode() for record in received]
            rows, rejected, _ = clean(Cleaner(flow.table, flow.clean), texts, start)
            assert rows.schema == flow.table.clean_schema
            positions = [*rows["position"].to_pylist(), *(r.position for r in rejected)]
            assert sorted(positions) == list(range(start, start + len(received)))
            for one in rejected:
                told = json.loads(one.to_json())
                assert told["reason"]
                assert told["record"] == received[one.position - start]
            assert not any(rows[name].null_count for name in flow.table.required)
            partitioning = Partitioning(flow.table.partition_schema)
            for row in rows.to_pylist():
                partition = tuple(row[name] for name in flow.table.partitions)
                assert partitioning.problem(partition) is None
                assert partitioning.of_key(f"{partitioning.path(partition)}/0") == partition

        @pytest.fixture
        def chain(
            self, store: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
        ) -> Iterator[Chain]:
            with chain_of(flow, store, tmp_path, monkeypatch) as found:
                yield found

        @pytest.mark.server
        def test_any_records_are_accounted_for_through_the_whole_chain(self, chain: Chain) -> None:
            @few(EXAMPLES)
            @given(lists)
            def holds(received: list[Any]) -> None:
                chain.run(received)
                raw, cleaned = chain.manifest(flow.bronze), chain.manifest(flow.silver)
                assert raw.rows_out == cleaned.rows_in == len(received)
                accounted = cleaned.rows_out + cleaned.rows_rejected + cleaned.rows_duplicate
                assert accounted == len(received)
                assert sum(entry.rows for entry in cleaned.objects) == cleaned.rows_out
                kept = json.loads(raw_get(chain.lake, "bronze", str(flow.bronze.object)))
                assert Counter(map(json.dumps, kept)) == Counter(map(json.dumps, received))
                rejected = json.loads(raw_get(chain.lake, "silver", flow.rejected))
                assert len(rejected) == cleaned.rows_rejected
                assert all(kept[one["position"]] == one["record"] for one in rejected)
                for aggregate in flow.aggregates:
                    table, version = gold.read_table(chain.lake, flow, aggregate.name)
                    assert sum(table[aggregate.count].to_pylist()) == cleaned.rows_out
                    assert version.snapshot == cleaned.snapshot == raw.snapshot

            holds()

        @pytest.mark.server
        def test_a_replay_is_the_same_to_the_byte(self, chain: Chain) -> None:
            @few(EXAMPLES // 3)
            @given(lists, lists)
            def holds(first: list[Any], then: list[Any]) -> None:
                snapshot = chain.run(first)
                before = chain.published()
                chain.run(then)
                assert chain.run(then, snapshot=snapshot) == snapshot
                assert chain.published() == before

            holds()

    class ProjectTests(FlowTests):
        def test_its_names_are_those_of_no_other_flow(self) -> None:
            assert flow in project.load_all()

        @pytest.mark.parametrize("block", dict.fromkeys(d.block for d in flow.datasets))
        def test_its_block_is_there_and_fits_on_a_screen(self, block: str) -> None:
            (file,) = PROJECT.glob(f"*/{block}.py")
            lines = file.read_text(encoding="utf-8").splitlines()
            assert len(lines) <= SCREEN[0]
            assert max(map(len, lines)) <= SCREEN[1]
            assert f"from data.{flow.name}.flow import FLOW" in lines

        def test_its_pipeline_has_its_blocks_in_their_order(self) -> None:
            file = PROJECT / "pipelines" / flow.name / "metadata.yaml"
            pipeline = yaml.safe_load(file.read_text(encoding="utf-8"))
            blocks = [block for block in vars(flow.blocks).values() if block]
            assert [block["uuid"] for block in pipeline["blocks"]] == blocks
            upstream = [block["upstream_blocks"] for block in pipeline["blocks"]]
            assert upstream == [[], *([block] for block in blocks[:-1])]

    return ProjectTests if in_project else FlowTests


vars(tests_of)["__test__"] = False  # pytest takes its name for a test's


def few(examples: int) -> settings:
    return settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )


# Records


def records_of(table: Table) -> st.SearchStrategy[Any]:
    """Records such as a table may be given: good ones, with other types and gaps, and junk."""
    known = {*table.keys, *table.partitions}
    columns = [column for column in table.columns if column.fields]
    good = {c.fields[0]: values_of(c, few=c.name in known) for c in columns}
    mixed = {field: values_of(c, few=True) | anything for c in columns for field in c.fields}
    odd = st.fixed_dictionaries({}, optional={**mixed, "unknown": anything})
    return st.one_of(
        st.fixed_dictionaries(good).map(nested),
        st.tuples(st.fixed_dictionaries(good), odd).map(lambda both: nested(both[0] | both[1])),
        odd.map(nested),
        anything,
    )


def values_of(column: Column, few: bool) -> st.SearchStrategy[Any]:
    """Values that a column can hold; few of them, so that some come again."""
    low, high = column.bounds or (-1000, 1000)
    if column.type == "int64":
        return st.integers(int(low), int(low) + 5) if few else st.integers(int(low), int(high))
    if column.type == "float64":
        return st.floats(low, high) | st.integers(int(low), int(high)).map(str)
    if column.type == "bool":
        return st.booleans() | st.sampled_from(["true", "false"])
    if column.type == "timestamp":
        return st.datetimes().map(lambda moment: f"{moment.isoformat()}Z")
    odd = ["A", "b c", "a/b", "a=b", "%41", "..", "🍺"]
    some = sorted(column.accepted_values) if column.accepted_values else odd
    return st.sampled_from(some) | text if few else st.sampled_from(some)


def nested(fields: dict[str, Any]) -> dict[str, Any]:
    """A record of fields by their paths: `place.city` is a field of a field."""
    record: dict[str, Any] = {}
    for path, value in fields.items():
        *outer, name = path.split(".")
        inner = record
        for step in outer:
            found = inner.setdefault(step, {})
            inner = found if isinstance(found, dict) else {}
        inner[name] = value
    return record


# Runs


@dataclass(frozen=True)
class Chain:
    """The way of a flow's records from an API to gold, on a real store."""

    flow: Flow
    lake: Lake

    def run(self, received: list[Any], **variables: Any) -> str:
        """Run the blocks on records in memory; the snapshot that was published."""
        return replace(self, flow=replace(self.flow, api=InMemory(received))).crawl(**variables)

    def crawl(self, **variables: Any) -> str:
        """Run the blocks but the chart's, and check as they do; the snapshot that was published."""
        flow, summary = self.flow, None
        for stage in (BRONZE, SILVER, GOLD):
            if stage.datasets(flow):
                summary = stage.run(flow, variables, summary)
                stage.check(flow, variables, summary)
        return str(summary and summary["snapshot"])

    def manifest(self, dataset: Any) -> Manifest:
        return self.lake.version(dataset)

    def published(self) -> dict[str, bytes]:
        """All that a reader reads, by layer and key."""
        found = {f"silver/{self.flow.rejected}": raw_get(self.lake, "silver", self.flow.rejected)}
        for dataset in (self.flow.bronze, self.flow.silver, *self.flow.gold):
            for entry in self.manifest(dataset).objects:
                name = f"{dataset.layer}/{without_run(entry.key)}"
                found[name] = self.lake.read(dataset.layer, entry)
        return found


@contextmanager
def chain_of(
    flow: Flow, store: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Chain]:
    """An empty lake, for as long as the context."""
    with site_on(store, folder, monkeypatch) as site:
        site.set(**{f"{flow.prefix}STOP_ON": "none", f"{flow.prefix}HISTORY_VERSIONS": 3})
        yield Chain(flow, site.lake)
