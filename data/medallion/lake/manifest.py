"""Manifests: the objects of a dataset's current version, and its row counts and checks."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timezone
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from .. import __version__

MANIFEST_VERSION = 2

MACHINERY = __name__.rpartition(".lake.")[0]

PART_BYTES = 32 << 20
"""The size of a part of a large object. One task of the next step reads and checks one part."""

ROWS_PER_REQUEST = 500
"""The rows that are read in the time of a request, about."""

Content = bytes  # a name for the type, where `bytes` is a field


class StoredObject(BaseModel):
    """One object: its key in the bucket, its size in rows and bytes, and its hash."""

    model_config = ConfigDict(frozen=True)

    key: str
    rows: int
    bytes: int
    sha256: str

    @classmethod
    def of(cls, key: str, rows: int, content: Content) -> StoredObject:
        """The entry of some content."""
        return cls(key=key, rows=rows, bytes=len(content), sha256=sha256(content))

    @property
    def weight(self) -> int:
        """The work to read it, in rows; tasks are divided by it."""
        return self.rows + ROWS_PER_REQUEST


class Source(BaseModel):
    """The source of a version: an object's key (for bronze, a URL) and its sha256."""

    model_config = ConfigDict(frozen=True)

    key: str
    sha256: str


class Parts(BaseModel):
    """The hashes of a large object's parts. With them, a reader can check a single part."""

    model_config = ConfigDict(frozen=True)

    size: int
    """Bytes per part; the last part may be smaller."""
    sha256: tuple[str, ...]


class Check(BaseModel):
    """One check that held when the version was published."""

    model_config = ConfigDict(frozen=True)

    name: str
    expected: int
    found: int
    note: str | None = None
    """Why the check held although the two numbers differ."""

    @property
    def held(self) -> bool:
        """Whether both numbers are equal, or a note explains the difference."""
        return self.expected == self.found or self.note is not None


class Changes(BaseModel):
    """How many rows differ from the previous version, and in how many partitions."""

    model_config = ConfigDict(frozen=True)

    added: int = 0
    removed: int = 0
    moved: int = 0
    """Rows that moved to another partition."""
    retyped: int = 0
    """Rows with another value in a column of known values."""
    changed: int = 0
    """Other rows with a new value in any other column."""
    partitions: int = 0


CELLS_A_DEGREE = 2

Cells = dict[str, int]
"""Cell of the map to its rows; the cell is `<x> <y>`, longitude and latitude in half degrees,
rounded down."""

Fields = dict[str, tuple[str, ...]]
"""Field of the records to the JSON types of its values, sorted, without `null`."""


class Profile(BaseModel):
    """Statistics of a version of silver. Counts are rows of silver."""

    model_config = ConfigDict(frozen=True)

    rows: int
    fields: Fields
    values: dict[str, int]
    """Column to the number of rows that have a value in it."""
    counts: dict[str, dict[str, int]] = {}
    """Column of known or steady values to each value and its number of rows."""
    unreadable: dict[str, int] | None = None
    """Column to the number of records with a value that its type cannot hold; includes rejects.
    None in the manifest of a release that did not count them."""
    cells: Cells = {}
    """The rows with coordinates, by map cell; empty if the table has no coordinates."""


class Drift(BaseModel):
    """One drift: the rule that found it, what drifted, and a sentence about it."""

    model_config = ConfigDict(frozen=True)

    rule: str
    """One of RULES, or a rule of a later release."""
    subject: str
    what: str


class Manifest(BaseModel):
    """The current version of one dataset of one layer.

    `run` is the run that published or confirmed it. `snapshot` is the run that fetched its data
    from the API, so equal snapshots mean equal data in all layers. `parts` is bronze's; `profile`,
    `drift` and `changes` are silver's. `seconds` is how long the step took. Unknown fields are
    ignored, so the manifest of a newer release stays readable.
    """

    model_config = ConfigDict(frozen=True)

    manifest_version: int = MANIFEST_VERSION
    flow: str | None = None
    """The flow of the dataset; None in the manifest of a release that had only one flow."""
    layer: str
    dataset: str
    run: str
    snapshot: str
    created_at: datetime
    source: Source
    objects: tuple[StoredObject, ...]
    parts: Parts | None = None
    rows_in: int
    rows_out: int
    rows_rejected: int
    rows_duplicate: int
    checks: tuple[Check, ...]
    profile: Profile | None = None
    drift: tuple[Drift, ...] = ()
    changes: Changes | None = None
    seconds: float
    code_version: str

    def only_object(self) -> StoredObject:
        """The object of a version that is one object: bronze, a gold table or the chart."""
        (entry,) = self.objects
        return entry

    def to_bytes(self) -> bytes:
        """The manifest as it is stored: indented JSON in UTF-8."""
        return self.model_dump_json(indent=1, exclude_none=True).encode() + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes) -> Manifest:
        """Parse a stored manifest.

        Raises:
            ValueError: the content is cut or malformed.
        """
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            raise ValueError(first_problem(error)) from None


def first_problem(error: ValidationError) -> str:
    """The first problem and its place, without the wrong value."""
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else first["msg"]


def version_of(content: bytes) -> int:
    """The format version of a stored manifest; works for later formats too.

    Raises:
        ValueError: the manifest has no version.
    """
    try:
        # Keep only this field of each JSON object, because a manifest can name very many objects.
        return int(json.loads(content, object_hook=lambda found: found.get("manifest_version")))
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise ValueError("no JSON object with a manifest_version") from None


def now() -> datetime:
    """The current time in UTC, to the second."""
    return datetime.now(timezone.utc).replace(microsecond=0)


def sha256(content: bytes) -> str:
    """The sha256 in hex; it names and compares objects."""
    return hashlib.sha256(content).hexdigest()


def md5(content: bytes) -> str:
    """The MD5 in hex; stores return it as the ETag of an object of one PUT."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@cache
def code_version(package: str) -> str:
    """The release, and a hash of the files of this package and of a flow, so that any edit shows.

    Args:
        package: the flow's package.
    """
    digest = hashlib.sha256()
    for name in (MACHINERY, package):
        spec = find_spec(name)
        for folder in spec.submodule_search_locations or () if spec else ():
            files = (p for p in Path(folder).rglob("*") if p.suffix in {".py", ".csv"})
            for file in sorted(files):
                path = file.relative_to(folder).as_posix()
                digest.update(path.encode() + b"\0" + file.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:12]}"
