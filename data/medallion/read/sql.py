"""The lake in SQL, by DuckDB. A table is fetched when a statement first names it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from functools import partial
from typing import TypeVar

import duckdb
import pyarrow as pa

from ..flow import Flow
from ..lake.datasets import Dataset
from ..lake.versions import Lake
from . import results, tables
from .errors import Refused
from .past import Moment, Past

AS_JSON = r"""coalesce(TRY_CAST(record AS JSON), TRY_CAST(
    regexp_replace(record, '\\u[dD][89a-fA-F][0-9a-fA-F]{2}', '�', 'g') AS JSON
  ), to_json(record))"""
"""A record as JSON. DuckDB refuses half a surrogate pair, which JSON permits."""

Read = Callable[[Lake], pa.Table]
T = TypeVar("T")


class Database(ExitStack):
    """The lake of some flows as a database in memory. Changes in it do not change the lake.

    The tables are `<layer>.<dataset>`. The main flow's tables are also `bronze`, `silver`,
    `rejected` and `gold`. They contain the version of a moment (`at` of `read.table`), and are
    empty until a statement names them.
    """

    def __init__(self, lake: Lake, flows: Sequence[Flow], main: Flow, at: Moment | None) -> None:
        super().__init__()
        self._duckdb = self.enter_context(duckdb.connect())
        # Else DuckDB would look for unknown table names among the variables of this code.
        self._duckdb.execute("SET python_enable_replacements = false")
        self._empty: dict[tuple[str, str], tuple[Read, Callable[[], Lake]]] = {}
        for flow in flows:
            past = self.enter_context(Past(lake, flow))
            for layer, name, dataset, schema, read in _tables(flow):
                # An empty array would make pyarrow import pandas, which takes half a second.
                put(self._duckdb, layer, name, pa.Table.from_batches([], schema))
                self._empty[layer, name] = read, partial(past.lake, dataset, at)
        self._views = {layer: name for layer, name, *_ in reversed([*_tables(main)])}
        for layer, name in self._views.items():
            self._duckdb.execute(f'CREATE VIEW {layer} AS FROM {layer}."{name}"')

    def answer(self, text: str, form: str) -> None:
        """Run some SQL, and print the result of each statement in one of `results.FORMATS`.

        An exception by a signal, such as KeyboardInterrupt, ends the query.

        Raises:
            Refused: DuckDB refuses the SQL, its results are too many, or stdout cannot be written.
            ReadError, LakeError, StoreError: a table in the SQL cannot be read.
        """
        try:
            statements = self._duckdb.extract_statements(text)
            many = sum(map(results.has_result, statements))
            if many > 1 and form != "table":
                raise Refused(
                    f"{form} is the format of one result, and these are {many} queries; give one "
                    "query, or FORMAT=table"
                )
            for statement in statements:
                self._fetch(statement.query)
                self._do(partial(results.show, self._duckdb, statement, form))
        except duckdb.Error as error:
            problem = " ".join(str(error).partition("\n\nLINE")[0].split()).rstrip(".")
            if isinstance(error, (duckdb.CatalogException, duckdb.BinderException)):
                problem += "; SHOW ALL TABLES lists the tables and columns"
            raise Refused(f"DuckDB refused the query: {problem}") from None

    def words(self) -> list[str]:
        """The names of tables and columns, and SQL's own words."""
        query = """SELECT DISTINCT unnest([table_schema, table_name, column_name])
            FROM information_schema.columns UNION SELECT upper(keyword_name) FROM duckdb_keywords()
            WHERE keyword_category = 'reserved' ORDER BY ALL"""
        return self._do(lambda: [word for (word,) in self._duckdb.execute(query).fetchall()])

    def _do(self, work: Callable[[], T]) -> T:
        """Do some work of DuckDB beside the main thread, which alone gets the signals.

        In the main thread, DuckDB would raise a RuntimeError in place of a signal's exception.
        """
        with ThreadPoolExecutor(1) as beside:
            done = beside.submit(work)
            try:
                return done.result()
            except BaseException:
                while not done.done():
                    self._duckdb.interrupt()
                    wait([done], 0.05)
                raise

    def _fetch(self, text: str) -> None:
        """Fetch the tables that a statement names: `silver.stations`, or a view, or after USE."""
        ((schema,),) = self._do(self._duckdb.execute("SELECT current_schema()").fetchall)
        words = re.findall(r'(\w+)(?:"?\s*\.\s*"?(?=(\w+)))?', text.lower())
        asked = {(one, other or self._views.get(one, "")) for one, other in words}
        asked |= {(schema, one) for one, _ in words}
        for named in asked & self._empty.keys():
            read, lake = self._empty[named]
            self._do(partial(put, self._duckdb, *named, read(lake())))
            del self._empty[named]


def put(database: duckdb.DuckDBPyConnection, layer: str, name: str, table: pa.Table) -> None:
    """Put a table into a database, with its comments; a `record` column becomes JSON."""
    json = f" REPLACE ({AS_JSON} AS record)" if "record" in table.column_names else ""
    comment = ", ".join(
        f"{k.decode()} {v.decode()}" for k, v in (table.schema.metadata or {}).items()
    )
    own = f'{layer}."{name}"'
    database.register("arrow", table)
    database.execute(f"CREATE SCHEMA IF NOT EXISTS {layer}")
    database.execute(f"CREATE OR REPLACE TABLE {own} AS SELECT *{json} FROM arrow")  # noqa: S608 - of names of the code
    database.unregister("arrow")
    database.execute(f"COMMENT ON TABLE {own} IS {_quoted(comment)}")
    for field in table.schema:
        about = (field.metadata or {}).get(b"comment", b"").decode()
        database.execute(f'COMMENT ON COLUMN {own}."{field.name}" IS {_quoted(about)}')
        if not field.nullable:
            database.execute(f'ALTER TABLE {own} ALTER COLUMN "{field.name}" SET NOT NULL')


def _quoted(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'" if text else "NULL"


def _tables(flow: Flow) -> Iterator[tuple[str, str, Dataset, pa.Schema, Read]]:
    """Each table's schema in the database, name, dataset, columns, and the function to read it."""
    for dataset in (flow.bronze, flow.silver, *flow.gold):
        read = partial(tables.rows, flow=flow, dataset=dataset)
        yield dataset.layer, dataset.name, dataset, tables.schema_of(flow, dataset), read
    yield "rejected", flow.name, flow.silver, tables.REJECTED, partial(tables.rejected, flow=flow)
