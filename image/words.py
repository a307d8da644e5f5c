"""Which words each picture shows: `make images` writes their hash into it, and a test compares.

Only words count. The numbers and dates in a picture may be of another day.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from data.medallion.source.errors import ApiGaveUp

IMAGE = Path(__file__).resolve().parent
ROOT = IMAGE.parent
DATA, REPORT = ROOT / "data", ROOT / "data/medallion/report"
KEY = "Words"  # of the text in a PNG
WORDS: Mapping[str, tuple[Path | str, ...]] = {
    "chart.png": (DATA / "breweries/texts.en.json",),
    "chart.pt-BR.png": (DATA / "breweries/texts.pt-BR.json",),
    "error-log.png": (ApiGaveUp.says,),
    "mage-tree.png": (
        DATA / "data_loaders/extract_breweries_data.py",
        DATA / "transformers/transform_breweries.py",
    ),
    "mage-triggers.png": (DATA / "pipelines/breweries/triggers.yaml",),
    "performance.png": (ROOT / "benchmarks/results.json",),
    "report.png": (REPORT / "texts.en.json",),
    "report.pt-BR.png": (REPORT / "texts.pt-BR.json",),
}
"""Picture to its words: texts, and files of them."""


def digest(picture: str) -> str:
    """The hash of the words that a picture must show."""
    words = (w.encode() if isinstance(w, str) else w.read_bytes() for w in WORDS[picture])
    return hashlib.sha256(b"".join(words)).hexdigest()[:16]


def stamp(picture: str) -> None:
    """Write the hash into a picture that was just made."""
    told = PngInfo()
    told.add_text(KEY, digest(picture))
    with Image.open(IMAGE / picture) as image:
        image.save(IMAGE / picture, pnginfo=told, optimize=True)


def shown(picture: str) -> str | None:
    """The hash of the words that a picture shows."""
    with Image.open(IMAGE / picture) as image:
        return image.info.get(KEY)
