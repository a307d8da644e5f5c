"""Lettering: every text of a figure as its fonts can draw it, inside the picture.

The names in the data are any text. None of it is markup. A letter that the fonts lack is
transliterated, and what is read from right to left is put into the order in which it is drawn.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator
from typing import Any

from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.category import StrCategoryFormatter
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.ft2font import FT2Font
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter

LONGEST = 40  # letters of a label; longer ones leave a chart no room for its bars
SLACK = 0.5  # pixels that rounding may put a text outside
OF_NAMES = (FixedFormatter, FuncFormatter, StrCategoryFormatter)  # of an axis's labels


class Lettering:
    """The texts of a figure, after all else is in it; labels of numbers are left alone."""

    def __init__(self, figure: Figure) -> None:
        self._picture = figure.bbox
        # A text remembers the last renderer, which may be that of an SVG with its own resolution.
        self._renderer = RendererAgg(1, 1, figure.dpi)  # type: ignore[no-untyped-call]
        self._axes: list[Axis] = []
        labels, numbers = set[Text](), set[Text]()
        for axis in figure.findobj(Axis):
            if isinstance(axis.get_major_formatter(), OF_NAMES):
                self._axes.append(axis)
                labels.update(_fixed_labels(axis))
            else:
                ticks = (*axis.get_major_ticks(), *axis.get_minor_ticks())
                numbers.update(label for tick in ticks for label in (tick.label1, tick.label2))
                numbers.add(axis.offsetText)
        self._legends: list[Legend] = figure.findobj(Legend)
        labels.update(text for legend in self._legends for text in legend.get_texts())
        self._labels = labels
        self._texts: list[Text] = [t for t in figure.findobj(Text) if t not in numbers]
        for text in numbers:
            text.set_parse_math(True)  # of powers of ten
        for text in self._texts:
            text.set_parse_math(False)
            words = _drawable(text.get_text(), text)
            text.set_text(_cut(words, LONGEST) if text in labels else words)
        self._keep_labels()

    def fit(self) -> bool:
        """Cut the texts that left the picture as drawn; if any did, it must be drawn again."""
        most = {text: self._room(text) for text in self._texts}
        for legend in self._legends:
            texts = legend.get_texts()
            longest = max((len(text.get_text()) for text in texts), default=0)
            # A long label pushes the others out, so their own places tell nothing.
            most |= dict.fromkeys(texts, longest // 2 if self._outside(legend) else longest)
        cut = [text for text in self._texts if len(text.get_text()) > max(most[text], 1)]
        for text in cut:
            text.set_text(_cut(text.get_text(), most[text]))
        self._keep_labels()
        return bool(cut)

    def _outside(self, artist: Any, rotation: float = 0) -> float:
        """The part of an artist's length that is outside of the picture."""
        box, room = artist.get_window_extent(self._renderer), self._picture
        if rotation % 180 == 90:
            over, length = max(room.y0 - box.y0, box.y1 - room.y1), box.height
        else:
            over, length = max(room.x0 - box.x0, box.x1 - room.x1), box.width
        return min(over / max(length, 1), 1) if over > SLACK else 0

    def _room(self, text: Text) -> int:
        """How many letters of a text are in the picture, each of its lines by itself."""
        words = text.get_text()
        number = text not in self._labels and not any(map(str.isalpha, words))
        if number or not text.get_visible():
            return len(words)  # half a number would be another number
        outside = self._outside(text, text.get_rotation())
        longest = max(map(len, words.split("\n")))
        return math.ceil(longest * (1 - outside)) - 1 if outside else len(words)

    def _keep_labels(self) -> None:
        """Let the axes keep the labels, which they write again whenever they are drawn."""
        for axis in self._axes:
            both = ((tick.label1, tick.label2) for tick in axis.get_major_ticks())
            labels = [min((t.get_text() for t in pair), key=len) for pair in both]
            axis.get_major_formatter().seq = labels  # type: ignore[attr-defined]


def _fixed_labels(axis: Axis) -> Iterator[Text]:
    """Fix the places of an axis's labels, and yield the texts that show them."""
    low, high = sorted(axis.get_view_interval())
    close = (high - low) * 1e-9
    places = [p for p in axis.get_majorticklocs() if low - close <= p <= high + close]
    labels = axis.get_major_formatter().format_ticks(places)
    axis.set_major_locator(FixedLocator(places))
    axis.set_major_formatter(FixedFormatter(labels))
    for tick, label in zip(axis.get_major_ticks(), labels, strict=True):
        for text in (tick.label1, tick.label2):
            text.set_text(label)
            yield text


def _cut(text: str, most: int) -> str:
    """A text with at most so many letters a line; a cut one ends in an ellipsis."""
    return "\n".join(
        line
        if len(line) <= most
        # As drawn, what is read from right to left ends at the left.
        else f"…{line[len(line) - most + 1 :].lstrip('…')}"
        if most > 1 and _is_right_to_left(line[-1])
        else f"{line[: max(most - 1, 0)].rstrip('… ')}…"
        for line in text.split("\n")
    )


def _drawable(words: str, text: Text) -> str:
    """Words in letters that a text's fonts have, in the order in which they are drawn."""
    if words.isascii() and words.isprintable():
        return words
    style, fonts = text.get_fontproperties(), []
    for family in style.get_family():
        one = style.copy()
        one.set_family(family)
        fonts.append(get_font(findfont(one)))
    return "\n".join(_drawable_line(line, fonts) for line in words.split("\n"))


def _drawable_line(line: str, fonts: list[FT2Font]) -> str:
    if not any(map(_is_right_to_left, line)):
        return "".join(_drawable_letter(letter, fonts) for letter in line)
    from arabic_reshaper import reshape
    from bidi.algorithm import get_display  # the one of `bidi` does not turn brackets

    joined = "".join(_drawable_letter(letter, fonts) for letter in reshape(line))
    return str(get_display(joined))


def _drawable_letter(letter: str, fonts: list[FT2Font]) -> str:
    from anyascii import anyascii

    kind = unicodedata.category(letter)
    if kind == "Cf":  # such as marks of direction
        return ""
    if kind in ("Cc", "Zs", "Zl", "Zp"):
        return " "
    if any(font.get_char_index(ord(letter)) for font in fonts):
        return letter
    return anyascii(letter) or ("?" if kind[0] in "CS" else "")


def _is_right_to_left(letter: str) -> bool:
    return unicodedata.bidirectional(letter) in ("R", "AL")
