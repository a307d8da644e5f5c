"""Exports tables of the lake as one file that opens without this project."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from ..dictionary import columns_of, dictionary
from ..flow import Flow
from ..lake.lake import Lake
from .errors import DatasetUnknown, Refused
from .past import Moment, Past

Tables = Mapping[str, pa.Table]
"""Layer and name, such as "silver/stations", to the rows."""

BATCH = 1_000  # rows to hold as Python objects at a time
SHEET_ROWS = 1_048_576  # of Excel, the header too
CELL = 32_767  # of Excel, in units of UTF-16
EXACT = 1 << 53  # of a number in Excel, which is a float
COMPATIBLE = "v1.0.0"  # the oldest DuckDB that can open the file


def tables_of(
    lake: Lake, flow: Flow, form: str, table: str = "", at: Moment | None = None
) -> dict[str, pa.Table]:
    """Read what a format holds: one table, by default silver; DuckDB and Excel hold several.

    Excel has no bronze unless it is asked for, because a cell cannot hold every record. Errors are
    those of `read.table`.
    """
    known = [*columns_of(flow)]
    if table and table not in known:
        raise DatasetUnknown(table, known)
    several = {"duckdb": known, "xlsx": [path for path in known if path != flow.bronze.path]}
    wanted = [table] if table else several.get(form, [flow.silver.path])
    with Past(lake, flow) as past:
        return {path: past.table(path, at) for path in wanted}


def write(flow: Flow, found: Tables, file: Path, form: str) -> list[str]:
    """Write tables as one whole file; returns what must be said of it.

    Refused is raised if the format cannot hold the table, or the file cannot be written, as when
    the disk is full; nothing of it is left.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".export-", dir=file.parent) as folder:
            draft = Path(folder) / file.name
            notes = FORMATS[form](flow, found, draft)
            draft.replace(file)
    except Exception as error:
        if not isinstance(error, OSError) and type(error).__module__ not in FAILING:
            raise
        raise Refused(
            f"{file} cannot be written ({getattr(error, 'strerror', None) or error}), and nothing "
            "of it is left; free some space, or name another file by TO="
        ) from None
    return notes


FAILING = {"_duckdb", "duckdb", "xlsxwriter.exceptions"}
"""The modules of errors that are no OSError, although writing failed."""


def _duckdb(flow: Flow, found: Tables, file: Path) -> list[str]:
    import duckdb

    from .sql import put

    with duckdb.connect(file, config={"storage_compatibility_version": COMPATIBLE}) as database:
        for path, rows in found.items():
            layer, _, name = path.partition("/")
            put(database, layer, name, rows)
            # Of several gold tables, the first one, as in make sql.
            database.execute(f'CREATE VIEW IF NOT EXISTS {layer} AS FROM {layer}."{name}"')
        database.execute("CHECKPOINT")  # closing it would hide that the disk is full
    return []


def _csv(_: Flow, found: Tables, file: Path) -> list[str]:
    (rows,) = found.values()
    pyarrow.csv.write_csv(rows, file)
    return []


def _parquet(_: Flow, found: Tables, file: Path) -> list[str]:
    (rows,) = found.values()
    pq.write_table(rows, file, compression="zstd")
    return []


def _geojson(flow: Flow, found: Tables, file: Path) -> list[str]:
    """RFC 7946: a point for each row, or no geometry for a row without coordinates."""
    ((path, rows),) = found.items()
    x, y = flow.table.coordinates or ("", "")
    if not {x, y} <= {*rows.column_names}:
        raise Refused(
            f"{path} has no coordinates, which GeoJSON needs; export it in another format"
        )
    unlocated = 0
    with file.open("wb") as output:
        output.write(b'{"type":"FeatureCollection","features":[')
        for number, row in enumerate(_rows(rows)):
            place = [row[x], row[y]]
            unlocated += None in place
            point = None if None in place else {"type": "Point", "coordinates": place}
            feature = {"type": "Feature", "geometry": point, "properties": row}
            output.write(b"," * bool(number) + b"\n" + orjson.dumps(feature))
        output.write(b"\n]}\n")
    return [f"{unlocated:,} rows have no coordinates, so their geometry is null."] * bool(unlocated)


def _xlsx(flow: Flow, found: Tables, file: Path) -> list[str]:
    from xlsxwriter import Workbook

    for path, rows in found.items():
        if len(rows) >= SHEET_ROWS:
            raise Refused(
                f"{path} has {len(rows):,} rows, and a sheet of Excel holds {SHEET_ROWS:,} with "
                "the header; export it in another format, such as csv"
            )
    as_texts = {"strings_to_formulas": False, "strings_to_urls": False}
    times = {"remove_timezone": True, "default_date_format": "yyyy-mm-dd hh:mm:ss"}
    own = {"constant_memory": True, "tmpdir": str(file.parent)}
    cut = 0
    whole = BytesIO()  # a ZipFile on a full disk would print a traceback
    with Workbook(whole, {**as_texts, **times, **own}) as book:
        for path, rows in found.items():
            cut += _sheet(book, path, rows)
        entries = [
            {"table": path} | vars(entry)
            for path, entries in dictionary(flow)
            for entry in entries
            if path in found
        ]
        _sheet(book, "dictionary", pa.Table.from_pylist(entries))
    file.write_bytes(whole.getbuffer())
    return [f"{cut:,} texts of more than {CELL:,} letters were cut, as Excel would."] * bool(cut)


def _sheet(book: Any, path: str, rows: pa.Table) -> int:
    """Write a sheet; returns how many of its texts were cut."""
    names, number = rows.column_names, len(book.worksheets())
    title = path.replace("/", " ")
    sheet = book.add_worksheet(title if len(title) <= 31 else f"{title[:28]}~{number}")
    sheet.freeze_panes(1, 0)
    sheet.write_row(0, 0, names, book.add_format({"bold": True}))
    widths, cut = [len(name) for name in names], 0
    for line, row in enumerate(_rows(rows), 1):
        cells = [_cell(value) for value in row.values()]
        cut += sum(isinstance(v, str) and c != v for c, v in zip(cells, row.values(), strict=True))
        sheet.write_row(line, 0, cells)
        if line <= BATCH:
            widths = [max(w, len(str(c or ""))) for w, c in zip(widths, cells, strict=True)]
    for column, width in enumerate(widths):
        sheet.set_column(column, column, min(width, 60) + 2)
    return cut


def _cell(value: Any) -> Any:
    """A value as a cell of Excel can hold it."""
    if isinstance(value, str) and len(value) > CELL // 2:
        return value.encode("utf-16-le")[: 2 * CELL].decode("utf-16-le", "ignore")
    if isinstance(value, int) and abs(value) > EXACT:
        return str(value)
    # Its calendar begins in 1900.
    return value.isoformat() if isinstance(value, datetime) and value.year < 1900 else value


def _rows(rows: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in rows.to_batches(BATCH):
        yield from batch.to_pylist()


FORMATS: Mapping[str, Callable[[Flow, Tables, Path], list[str]]] = {
    "duckdb": _duckdb,
    "csv": _csv,
    "xlsx": _xlsx,
    "geojson": _geojson,
    "parquet": _parquet,
}
"""Format, which is the ending of its files, to the function that writes it."""
