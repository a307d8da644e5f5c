"""The page itself: facts in a language as one HTML file that loads nothing from elsewhere."""

from __future__ import annotations

import re
from base64 import b64encode
from collections import Counter
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

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
"""What HTML may not hold."""


def render(facts: Facts, language: Language, made: datetime | None = None) -> bytes:
    """The page, in UTF-8; equal facts are equal bytes.

    Args:
        facts: what it tells.
        language: in which.
        made: when, if the page should say so.
    """
    flow, manifests = facts.flow, facts.manifests
    layers = [(dataset, manifests.get(dataset.path)) for dataset in flow.datasets]
    bronze, silver = manifests.get(flow.bronze.path), manifests.get(flow.silver.path)
    gold = next(
        (manifest for dataset, manifest in layers if manifest and dataset in flow.gold), None
    )
    source = bronze.source.key if bronze else ""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("page.html").render(
        facts=facts,
        flow=flow,
        t=language,
        made=made,
        bronze=bronze,
        silver=silver,
        layers=layers,
        rows=(rows := rows_on_the_way(bronze, silver, gold)),
        way=way(rows),
        facets=[
            (column, VALUES_OF.format(name), counted(flow.table, silver, column))
            for name, column in flow.api.facets.items()
        ],
        map=draw_map(silver.profile.cells if silver and silver.profile else {}),
        sizes=SIZES,
        source=urlsplit(source).hostname or source,  # a replayed answer has a key
        base64=b64encode,
        media=MEDIA_TYPES,
        began=began,
    )
    return UNPRINTABLE.sub("\ufffd", page).encode()


def began(run: str) -> datetime | None:
    """When a run began, by its id; None where that is none of ours."""
    try:
        return time_of(run)
    except ValueError:
        return None


def rows_on_the_way(
    bronze: Manifest | None, silver: Manifest | None, gold: Manifest | None
) -> dict[str, int]:
    """The rows of each layer that is there, and those that are left out between them."""
    rows = {"api": bronze.rows_in, "bronze": bronze.rows_out} if bronze else {}
    if bronze and silver:
        rows |= {"rejected": silver.rows_rejected, "duplicate": silver.rows_duplicate}
        rows |= {"silver": silver.rows_out} | ({"gold": gold.rows_in} if gold else {})
    return rows


def counted(table: Table, silver: Manifest | None, column: str) -> Counter[str]:
    """Silver's rows by the values of a column, as far as its manifest tells them."""
    found = Counter[str]()
    if silver and column in table.partitions:
        partitioning = Partitioning(table.partition_schema)
        for entry in silver.objects:
            found[str(partitioning.values(entry.key)[column])] += entry.rows
    elif silver and silver.profile:
        found.update(silver.profile.counts.get(column, {}))
    return found
