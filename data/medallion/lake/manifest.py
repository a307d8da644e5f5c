"""Manifests: the objects of a version of a dataset, and its row counts and checks."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from .. import __version__
from .datasets import Layer

MANIFEST_VERSION = 3

MACHINERY = __name__.rpartition(".lake.")[0]
ONLY_READING = {"read", "report"}  # the folders of it on which no byte of a version depends

NO_SEAL = "0" * 64
_SEAL = re.compile(rb'"sha256": "([0-9a-f]{64})"\n\}\n\Z')

PART_BYTES = 32 << 20
"""The size of a part of a large object. One task of the next step reads and checks one part."""

ROWS_PER_REQUEST = 500  # about the rows that are read in the time of a request

Content = bytes  # a name for the type, where `bytes` is a field


class Frozen(BaseModel):
    """A value that does not change."""

    model_config = ConfigDict(frozen=True)


class StoredObject(Frozen):
    """One object: its key in the bucket, its size in rows and bytes, and its hash."""

    key: str
    rows: int
    bytes: int
    sha256: str

    @classmethod
    def of(cls, key: str, rows: int, content: Content) -> StoredObject:
        """The entry of some content."""
        digest = hashlib.sha256(content).hexdigest()
        return cls(key=key, rows=rows, bytes=len(content), sha256=digest)

    @property
    def weight(self) -> int:
        """The work to read it, in rows; tasks are divided by it."""
        return self.rows + ROWS_PER_REQUEST


class Source(Frozen):
    """The source of a version: an object's key (for bronze, a URL) and its sha256."""

    key: str
    sha256: str


class Copy(Frozen):
    """A fixed name, and the object of the version that is copied to it after the publish."""

    key: str
    object: StoredObject

    @property
    def as_stored(self) -> StoredObject:
        """What must stand at the fixed name."""
        return self.object.model_copy(update={"key": self.key})


class Snapshot(Frozen):
    """An earlier snapshot that bronze retains."""

    snapshot: str
    object: StoredObject
    version: int
    """The last version of bronze that published it; 0 if it is older than the log."""
    published_at: datetime


class PartHashes(Frozen):
    """The hashes of a large object's parts. With them, a reader can check a single part."""

    size: int
    """Bytes per part; the last part may be smaller."""
    sha256: tuple[str, ...]


class Check(Frozen):
    """One check that held when the version was published."""

    name: str
    expected: int
    found: int
    note: str | None = None
    """Why the check held although the two numbers differ."""

    @property
    def held(self) -> bool:
        """Whether both numbers are equal, or a note explains the difference."""
        return self.expected == self.found or self.note is not None


_RECATEGORIZED = AliasChoices("recategorized", "retyped")  # the second one until November 2026


class Changes(Frozen):
    """How many rows differ from the previous version, and in how many partitions."""

    added: int = 0
    removed: int = 0
    moved: int = 0
    """Rows that moved to another partition."""
    recategorized: int = Field(default=0, validation_alias=_RECATEGORIZED)
    """Rows with another value in a column of accepted values."""
    changed: int = 0
    """Other rows with a new value in any other column."""
    partitions: int = 0


CELLS_A_DEGREE = 2

Cells = dict[str, int]
"""Cell of the map to its rows; the cell is `<x> <y>`, longitude and latitude in half degrees,
rounded down."""

Fields = dict[str, tuple[str, ...]]
"""Field of the records to the JSON types of its values, sorted, without `null`."""


class Profile(Frozen):
    """Statistics of a version of silver. Counts are rows of silver."""

    rows: int
    fields: Fields
    values: dict[str, int]
    """Column to the number of rows that have a value in it."""
    counts: dict[str, dict[str, int]] = {}
    """Counted column to each value and its number of rows."""
    unreadable: dict[str, int] = {}
    """Column to the number of records with a value that its type cannot hold; includes rejects."""
    cells: Cells = {}
    """The rows with coordinates, by map cell; empty if the table has no coordinates."""


class Drift(Frozen):
    """One drift: the rule that found it, what drifted, and a sentence about it."""

    rule: str
    """One of RULES, or a rule of a later release."""
    subject: str
    what: str


class Manifest(Frozen):
    """A version of one dataset of one layer: an entry of the dataset's log.

    `run` is the run that published it. `snapshot` is the run that fetched its data from the API, so
    equal snapshots mean equal data in all layers. `parts` and `retained` are bronze's; `profile`,
    `drift` and `changes` are silver's. `seconds` is how long the step took. Unknown fields are
    ignored, so an entry of a newer release stays readable.
    """

    manifest_version: int = MANIFEST_VERSION
    flow: str
    layer: Layer
    dataset: str
    version: int
    oldest: int
    """The oldest version whose entry the log keeps."""
    run: str
    snapshot: str
    replay: bool = False
    """Whether a person asked for this snapshot again."""
    created_at: datetime
    published_at: datetime
    """When it was published: never before the previous version."""
    source: Source
    objects: tuple[StoredObject, ...]
    copies: tuple[Copy, ...] = ()
    retained: tuple[Snapshot, ...] = ()
    parts: PartHashes | None = None
    rows_in: int
    rows_out: int
    rows_rejected: int = 0
    rows_duplicate: int = 0
    checks: tuple[Check, ...]
    profile: Profile | None = None
    drift: tuple[Drift, ...] = ()
    changes: Changes | None = None
    seconds: float
    code_version: str
    libraries: dict[str, str]
    """The libraries on which the bytes depend, and their versions."""
    sha256: str = NO_SEAL
    """The hash of the entry itself; see `sealed`. It is the last field."""

    def only_object(self) -> StoredObject:
        """The object of a version that is one object: bronze, a gold table or the chart."""
        (entry,) = self.objects
        return entry

    def copy_at(self, key: str) -> Copy | None:
        """The copy at a fixed name; None if the version has none there."""
        return next((copy for copy in self.copies if copy.key == key), None)

    @property
    def named(self) -> dict[str, StoredObject]:
        """All objects of the version, by key: its own, and those with a fixed name."""
        every = (*self.objects, *(copy.object for copy in self.copies))
        return {entry.key: entry for entry in every}

    @property
    def made_by(self) -> str:
        """The code and the libraries that made it, for messages."""
        return ", ".join([self.code_version, *map(" ".join, self.libraries.items())])


class Head(Frozen):
    """What every entry of a log has; alone, it stands for a version that is lost."""

    manifest_version: int = MANIFEST_VERSION
    layer: Layer
    dataset: str
    version: int
    lost: bool = False
    sha256: str = NO_SEAL


def sealed(entry: BaseModel) -> bytes:
    """An entry as it is stored: indented JSON in UTF-8 that ends with a hash of itself.

    The hash is the sha256 of the stored bytes, with zeros in place of its own 64 digits. Entries of
    later formats have it too.
    """
    content = entry.model_dump_json(indent=1, exclude_none=True).encode() + b"\n"
    place, seal = _seal(content)
    return content[: place.start] + seal + content[place.stop :]


def check_seal(content: bytes) -> None:
    """Check that a stored entry is as written; ValueError if it is cut or a byte has changed."""
    place, seal = _seal(content)
    if content[place] != seal:
        raise ValueError("it differs from its own sha256")


def _seal(content: bytes) -> tuple[slice, bytes]:
    """The place of an entry's seal, and the seal that belongs there."""
    if not (found := _SEAL.search(content)):
        raise ValueError("it does not end with its sha256")
    view, place = memoryview(content), slice(*found.span(1))
    digest = hashlib.sha256(view[: place.start])  # an entry can have a hundred megabytes
    digest.update(NO_SEAL.encode())
    digest.update(view[place.stop :])
    return place, digest.hexdigest().encode()


def first_problem(error: ValueError) -> str:
    """The first problem and its place, without the wrong value; else the error's own message."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else first["msg"]


@cache
def code_version(package: str) -> str:
    """The release, and a hash of all code, ours and a flow's, on which a version's bytes depend."""
    digest = hashlib.sha256()
    for name in (MACHINERY, package):
        spec = find_spec(name)
        for folder in spec.submodule_search_locations or () if spec else ():
            files = (p for p in Path(folder).rglob("*") if p.suffix in {".py", ".csv"})
            for file in sorted(files):
                path = file.relative_to(folder)
                if name != MACHINERY or path.parts[0] not in ONLY_READING:
                    digest.update(path.as_posix().encode() + b"\0" + file.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:12]}"
