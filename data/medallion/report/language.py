"""The languages of the page: their sentences, and their formats of numbers, sizes and times."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from ..flow import Flow

UNITS = ("B", "KB", "MB", "GB", "TB")
NUMBER = r"[+-]?\d{1,3}(,?\d{3})*(\.\d+)?%?"
"""A number, as Python writes it."""


@dataclass(frozen=True)
class Language:
    """One language: its HTML code, and the content of `texts.<name>.json`, here and of a flow."""

    name: str
    texts: dict[str, Any]

    @classmethod
    def load(cls, name: str, flow: Flow) -> Language:
        """Load the language of a value of REPORT_LANGUAGE, with the flow's own sentences."""
        file = f"texts.{name}.json"
        texts = json.loads(Path(__file__).with_name(file).read_text(encoding="utf-8"))
        own = files(flow.package).joinpath(file)
        more = json.loads(own.read_text(encoding="utf-8")) if own.is_file() else {}
        words = {**texts["words"], **more.get("words", {})}
        for facet, column in flow.api.facets.items():
            words[facet] = words.get(column, column.replace("_", " "))
        return cls(name, {**texts, **more, "words": words})

    def __call__(self, key: str, **facts: Any) -> str:
        """A sentence with facts in it; numbers have the format of the language.

        If a key has two sentences, the first is for a `count` of 1.
        """
        text = self.texts[key]
        if isinstance(text, list):
            text = text[facts["count"] != 1]
        shown = {n: self.number(f) if isinstance(f, int) else f for n, f in facts.items()}
        return str(text).format_map(shown)

    def label(self, name: str) -> str:
        """A word of a declaration, such as the name of a column, for people."""
        return str(self.texts["words"].get(name, name)).replace("_", " ")

    def listed(self, names: Iterable[str], word: Literal["and", "or"] = "and") -> str:
        """The labels of names, as a list in a sentence."""
        labels = [*map(self.label, names)]
        parts = ", ".join(labels[:-1]), *labels[-1:]
        return str(self.texts[word]).join(filter(None, parts))

    def said(self, text: str) -> str:
        """Translate a text of a fixed form, such as the reason of a reject."""
        for pattern, translated in self.texts["said"]:
            if found := re.fullmatch(pattern, text):
                return re.sub(r"\\(\d)", lambda n: self._part(found[int(n[1])]), translated)
        return text

    def value(self, value: Any) -> str:
        """A value of a column, as JSON has it."""
        if value is None or isinstance(value, str):
            return value or str(self.texts["nothing"])
        return self._part(json.dumps(value))

    def _part(self, text: str) -> str:
        """A part of a text in English: a number, the name of a column, or a value."""
        if re.fullmatch(NUMBER, text):
            return text.translate(self._marks)
        return str(self.texts["words"].get(text, text))

    @property
    def _marks(self) -> dict[int, int]:
        return str.maketrans(",.", self.texts["separators"])

    def number(self, number: float, digits: int = 0) -> str:
        """A number with separators of thousands."""
        return f"{number:,.{digits}f}".translate(self._marks)

    def percent(self, part: float, whole: float) -> str:
        """A share, to a tenth of a percent."""
        return f"{self.number(100 * part / whole if whole else 0, 1)}%"

    def size(self, count: float) -> str:
        """A size in bytes, in a suitable unit."""
        power = 0
        while count >= 1000 and power < len(UNITS) - 1:
            count, power = count / 1000, power + 1
        return f"{self.number(count, int(power > 1 and count < 100))} {UNITS[power]}"

    def day(self, moment: datetime) -> str:
        """A day, with the name of its month."""
        month = self.texts["months"][moment.month - 1]
        return str(self.texts["day"]).format(day=moment.day, month=month, year=moment.year)

    def time(self, moment: datetime) -> str:
        """A day and a time in UTC."""
        return f"{self.day(moment)}, {moment:%H:%M} UTC"

    def degrees(self, degrees: float, letters: str) -> str:
        """A latitude or longitude; `letters` is the key of the letters for above and below 0."""
        side = "" if degrees == 0 else f" {self.texts[letters][degrees < 0]}"
        return f"{self.number(abs(degrees), int(degrees % 1 != 0))}°{side}"
