"""The lake in SQL, by DuckDB: each table is fetched when it is first named."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import pyarrow as pa

from ..flow import Flow
from ..lake.datasets import Dataset
from ..lake.versions import Lake
from . import tables
from .errors import DuckDBMissing, QueryRefused
from .history import Moment
from .past import lake_at


@contextmanager
def database(
    lake: Lake, flows: Sequence[Flow], main: Flow, moment: Moment | None = None
) -> Iterator[Database]:
    """The lake of some flows as a database, in memory: what is changed there changes no lake.

    Args:
        lake: the live one.
        flows: each of whose tables is `<layer>.<dataset>`.
        main: whose tables are `bronze`, `silver`, `rejected` and `gold` besides.
        moment: of which version, as `table`'s `at`; None for the published one.

    Raises:
        DuckDBMissing: it is not installed.
    """
    with ExitStack() as stack:
        yield Database(stack, lake, flows, main, moment)


class Database:
    """Tables that are empty until they are named; `database` is the way to one."""

    def __init__(
        self,
        stack: ExitStack,
        lake: Lake,
        flows: Sequence[Flow],
        main: Flow,
        moment: Moment | None,
    ) -> None:
        try:
            import duckdb
        except ModuleNotFoundError:
            raise DuckDBMissing() from None
        self._stack, self._live, self._moment = stack, lake, moment
        self._refused = duckdb.Error
        self._duckdb = duckdb.connect()
        # Else a name that is no table's would be looked for among the variables of this code.
        self._duckdb.execute("SET python_enable_replacements = false")
        stack.callback(self._duckdb.close)
        self._lakes: dict[str, Lake] = {}
        self._empty: dict[str, tuple[Flow, Dataset | None]] = {}
        for flow in flows:
            for dataset in flow.datasets:
                if dataset != flow.chart:
                    self._make(flow, dataset)
            self._make(flow, None)
        for view, name in (
            ("bronze", main.bronze.name), ("silver", main.silver.name),
            ("rejected", main.name), ("gold", main.gold[0].name),
        ):  # fmt: skip
            self._duckdb.execute(f'CREATE VIEW {view} AS FROM {view}."{name}"')

    def answer(self, text: str, rows: int) -> None:
        """Print what each statement of some SQL gives, so many rows at most.

        Raises:
            QueryRefused: DuckDB does not take it.
            ReadError, LakeError, StoreError: a table that it names cannot be read.
        """
        words = {word.lower() for word in re.findall(r"\w+", text)}
        for name in [n for n in self._empty if words & set(n.split("."))]:
            self._fill(name, *self._empty[name])
            del self._empty[name]
        try:
            for statement in self._duckdb.extract_statements(text):
                if found := self._duckdb.sql(statement.query):
                    found.show(max_rows=rows)
        except self._refused as error:
            said = str(error).partition("\n\nLINE")[0]
            raise QueryRefused(" ".join(said.split())) from None

    def _make(self, flow: Flow, dataset: Dataset | None) -> None:
        layer, name = (dataset.layer, dataset.name) if dataset else ("rejected", flow.name)
        schema = tables.schema_of(flow, dataset) if dataset else tables.REJECTED
        self._duckdb.execute(f"CREATE SCHEMA IF NOT EXISTS {layer}")
        self._with(schema.empty_table(), f'CREATE TABLE {layer}."{name}" AS')
        self._empty[f"{layer}.{name}"] = flow, dataset

    def _fill(self, name: str, flow: Flow, dataset: Dataset | None) -> None:
        if flow.name not in self._lakes:
            at = lake_at(self._live, flow, self._moment)
            self._lakes[flow.name] = self._stack.enter_context(at)
        lake = self._lakes[flow.name]
        found = (
            tables.rows(lake, flow, dataset, None, {}) if dataset else tables.rejected(lake, flow)
        )
        layer, _, table = name.partition(".")
        self._with(found, f'INSERT INTO {layer}."{table}"')

    def _with(self, table: pa.Table, statement: str) -> None:
        columns = ", ".join(
            f"{name}::JSON AS {name}" if name == "record" else f'"{name}"'
            for name in table.column_names
        )
        self._duckdb.register("arrow", table)
        self._duckdb.execute(f"{statement} SELECT {columns} FROM arrow")  # noqa: S608 - of names of the code
        self._duckdb.unregister("arrow")
