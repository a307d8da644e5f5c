"""Renders facts in a language as one HTML file that loads nothing from elsewhere."""

from __future__ import annotations

import re
from base64 import b64encode
from collections import Counter
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from ..flow import MEDIA_TYPES
from ..lake.manifest import Manifest
from ..lake.partitions import Partitioning
from ..lake.runs import time_of
from ..source.completeness import VALUES_OF
from ..table import Table
from .facts import Facts
from .language import Language
from .pictures import SIZES, draw_map, way

UNPRINTABLE = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""The characters that HTML cannot contain."""


def render(facts: Facts, language: Language, made: datetime | None = None) -> bytes:
    """Render the page as UTF-8 HTML, with its time if given; equal facts give equal bytes."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # readers make no page

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    functions = (b64encode, began, counted, draw_map, urlsplit, way)
    environment.globals.update({function.__name__: function for function in functions})
    environment.globals.update(media=MEDIA_TYPES, sizes=SIZES, values_of=VALUES_OF)
    template = environment.get_template("page.html")
    page = template.render(facts=facts, flow=facts.flow, t=language, made=made)
    return UNPRINTABLE.sub("\ufffd", page).encode()


def began(run: str) -> datetime | None:
    """The time when a run began, by its id; None if it is not a run id."""
    try:
        return time_of(run)
    except ValueError:
        return None


def counted(table: Table, silver: Manifest | None, column: str) -> Counter[str]:
    """Silver's rows per value of a column; empty if the manifest does not have them."""
    found = Counter[str]()
    if silver and column in table.partitions:
        partitioning = Partitioning(table.partition_schema)
        for entry in silver.objects:
            found[str(partitioning.values(entry.key)[column])] += entry.rows
    elif silver and silver.profile:
        found.update(silver.profile.counts.get(column, {}))
    return found
