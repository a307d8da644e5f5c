"""What a manifest says: which objects are a dataset's current version, and how its rows add up."""

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
"""Of a large object; what one task of the next step reads, and checks by its hash."""


Content = bytes  # a name for the type, where `bytes` is a field


class StoredObject(BaseModel):
    """One object: its key in the bucket, its size in rows and bytes, its content's hash."""

    model_config = ConfigDict(frozen=True)

    key: str
    rows: int
    bytes: int
    sha256: str

    @classmethod
    def of(cls, key: str, rows: int, content: Content) -> StoredObject:
        """The entry of some content."""
        return cls(key=key, rows=rows, bytes=len(content), sha256=sha256(content))


class Source(BaseModel):
    """What a version was made from: an object's key (for bronze, an address) and its sha256."""

    model_config = ConfigDict(frozen=True)

    key: str
    sha256: str


class Parts(BaseModel):
    """The hashes of a large object's parts, so that a reader of one part can check it."""

    model_config = ConfigDict(frozen=True)

    size: int
    """Bytes of a part; the last one may have fewer."""
    sha256: tuple[str, ...]


class Check(BaseModel):
    """One check that held when the version was published."""

    model_config = ConfigDict(frozen=True)

    name: str
    expected: int
    found: int
    note: str | None = None
    """Why it held though the two numbers differ."""

    @property
    def held(self) -> bool:
        """Whether both numbers are the same, or a note says why they need not be."""
        return self.expected == self.found or self.note is not None


class Changes(BaseModel):
    """How many rows differ from the version before, and in how many partitions."""

    model_config = ConfigDict(frozen=True)

    added: int = 0
    removed: int = 0
    moved: int = 0
    """To another partition."""
    retyped: int = 0
    """With another value in a column of known values."""
    changed: int = 0
    """With another value in a column of any other kind, and not counted above."""
    partitions: int = 0


CELLS_A_DEGREE = 2

Cells = dict[str, int]
"""The rows in each cell of the map; `<x> <y>` are half degrees of longitude and latitude, rounded
down."""

Fields = dict[str, tuple[str, ...]]
"""Each field of the records to the JSON types of its values, sorted, `null` left out."""


class Profile(BaseModel):
    """What a version of the data looks like; counts are of silver's rows."""

    model_config = ConfigDict(frozen=True)

    rows: int
    fields: Fields
    values: dict[str, int]
    """Each column to how many rows have a value in it."""
    counts: dict[str, dict[str, int]] = {}
    """Each column of known or steady values to how many rows have which."""
    unreadable: dict[str, int] | None = None
    """Each column to how many records had a value that it cannot hold, if any; rejected records
    count too. None in the manifest of a release that did not count."""
    cells: Cells = {}
    """Of the rows with coordinates, where the table has any."""


class Drift(BaseModel):
    """One change that a rule names: of what, and in one sentence."""

    model_config = ConfigDict(frozen=True)

    rule: str
    """One of RULES; of a later release, perhaps another."""
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
    """Whose dataset it is; None in the manifest of a release that had one flow."""
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
        """The object of a dataset that is one object (bronze, the gold table, the chart)."""
        (entry,) = self.objects
        return entry

    def to_bytes(self) -> bytes:
        """As stored: indented JSON, UTF-8."""
        return self.model_dump_json(indent=1, exclude_none=True).encode() + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes) -> Manifest:
        """Parse a stored manifest.

        Raises:
            ValueError: it is cut or malformed.
        """
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            raise ValueError(first_problem(error)) from None


def first_problem(error: ValidationError) -> str:
    """The first thing that is wrong, and where, without what was found there."""
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else first["msg"]


def version_of(content: bytes) -> int:
    """The version of a stored manifest, whatever else a later one may hold.

    Raises:
        ValueError: it does not say.
    """
    try:
        # Keep no more of each object: a manifest may name very many.
        return int(json.loads(content, object_hook=lambda found: found.get("manifest_version")))
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise ValueError("no JSON object with a manifest_version") from None


def now() -> datetime:
    """The time in UTC, to the second: a finer one would say nothing about a run."""
    return datetime.now(timezone.utc).replace(microsecond=0)


def sha256(content: bytes) -> str:
    """The hash by which objects are named and compared, in hex."""
    return hashlib.sha256(content).hexdigest()


def md5(content: bytes) -> str:
    """What a store gives as the ETag of an object of one PUT, in hex."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@cache
def code_version(package: str) -> str:
    """The release, and a hash of the machinery's files and a flow's, so that any edit shows.

    Args:
        package: of the flow's folder.
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
