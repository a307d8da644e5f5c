"""Renders facts in a language as one HTML file that loads nothing from elsewhere."""

from __future__ import annotations

import re
from base64 import b64encode
from collections import Counter
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..dictionary import dictionary
from ..flow import MEDIA_TYPES
from ..lake.manifest import Manifest
from ..lake.partitions import Partitioning
from ..lake.runs import time_of
from ..source.api import Api
from ..source.completeness import VALUES_OF
from ..table import Table
from .facts import Facts
from .language import Language
from .pictures import SIZES, draw_map, row_flow

if TYPE_CHECKING:
    from jinja2 import Template

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
UNPRINTABLE = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""The characters that HTML cannot contain."""


def render(facts: Facts, language: Language, made: datetime | None = None) -> bytes:
    """Render the page as UTF-8 HTML, with its time if given; equal facts give equal bytes."""
    page = _template().render(facts=facts, flow=facts.flow, t=language, made=made)
    return UNPRINTABLE.sub("\ufffd", page).encode()


@cache
def _template() -> Template:
    """The page's template, which takes longer to compile than to render."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # readers make no page

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    functions = (b64encode, began, counted, dictionary, draw_map, generated, urlsplit, row_flow)
    environment.globals.update({function.__name__: function for function in functions})
    environment.globals.update(media=MEDIA_TYPES, sizes=SIZES, values_of=VALUES_OF)
    return environment.get_template("page.html")


def began(run: str) -> datetime | None:
    """The time when a run began, by its id; None if it is not a run id."""
    try:
        return time_of(run)
    except ValueError:
        return None


def generated(api: Api, address: str) -> bool:
    """Whether records are of a stand-in for an API: of this machine, and the API is not."""
    host = urlsplit(address).hostname
    return host in LOOPBACK and urlsplit(api.url).hostname not in LOOPBACK


def counted(table: Table, silver: Manifest | None, *columns: str) -> Counter[str]:
    """Silver's rows per value of a column, or of several partition columns as one.

    It is empty if the manifest does not have them.
    """
    found = Counter[str]()
    if silver and {*columns} <= {*table.partitions}:
        partitioning = Partitioning(table.partition_schema)
        for entry in silver.objects:
            values = partitioning.values(entry.key)
            found[", ".join(str(values[name]) for name in columns)] += entry.rows
    elif silver and silver.profile:
        found.update(silver.profile.counts.get(columns[0], {}))
    return found
