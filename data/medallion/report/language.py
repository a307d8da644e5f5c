"""The languages of the page: their sentences, and their formats of numbers, sizes and times."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

UNITS = ("B", "KB", "MB", "GB", "TB")


@dataclass(frozen=True)
class Language:
    """One language: its HTML code, and the content of `texts.<name>.json`."""

    name: str
    texts: dict[str, Any]

    @classmethod
    def load(cls, name: str) -> Language:
        """Load a language; the name is a value of REPORT_LANGUAGE."""
        file = Path(__file__).with_name(f"texts.{name}.json")
        return cls(name, json.loads(file.read_text(encoding="utf-8")))

    def __call__(self, key: str, **facts: Any) -> str:
        """A sentence with facts in it; numbers have the format of the language.

        If a key has two sentences, the first is for a `count` of 1.
        """
        text = self.texts[key]
        if isinstance(text, list):
            text = text[facts["count"] != 1]
        shown = {n: self.number(f) if isinstance(f, int) else f for n, f in facts.items()}
        return str(text).format_map(shown)

    def said(self, text: str) -> str:
        """Translate a text of a fixed form, such as the reason of a reject."""
        for pattern, translated in self.texts["said"]:
            if re.fullmatch(pattern, text):
                return re.sub(pattern, translated, text)
        return text

    def number(self, number: float, digits: int = 0) -> str:
        """A number with separators of thousands."""
        swap = str.maketrans(",.", self.texts["separators"])
        return f"{number:,.{digits}f}".translate(swap)

    def percent(self, part: float, whole: float) -> str:
        """A share, to a tenth of a percent."""
        return f"{self.number(100 * part / whole if whole else 0, 1)}%"

    def size(self, count: float) -> str:
        """A size in bytes, in a suitable unit."""
        power = 0
        while count >= 1000 and power < len(UNITS) - 1:
            count, power = count / 1000, power + 1
        return f"{self.number(count, int(power > 1 and count < 100))} {UNITS[power]}"

    def day(self, moment: datetime, short: bool = False) -> str:
        """A day, with the name of its month, or with three letters of it if `short`."""
        month = self.texts["months"][moment.month - 1][: 3 if short else None]
        return str(self.texts["day"]).format(day=moment.day, month=month, year=moment.year)

    def time(self, moment: datetime) -> str:
        """A day and a time in UTC."""
        return f"{self.day(moment)}, {moment:%H:%M} UTC"

    def degrees(self, degrees: float, letters: str) -> str:
        """A latitude or longitude; `letters` is the key of the letters for above and below 0."""
        side = "" if degrees == 0 else f" {self.texts[letters][degrees < 0]}"
        return f"{self.number(abs(degrees), int(degrees % 1 != 0))}°{side}"
