"""A flow's own functions: an error in one is told by its name, its file and its line."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from functools import partial
from inspect import unwrap
from textwrap import shorten
from typing import Any, NoReturn

from typing_extensions import Self

from .errors import MedallionError, OwnCodeFailed
from .host.envfile import PROJECT

LONGEST = 300  # characters of an error's message


class OwnCode:
    """A context that calls a flow's own function; `doing` is what for, such as `the column year`.

    Raises:
        OwnCodeFailed: the function raised an error other than `MedallionError` and those of
            `passing`, or was refused.
    """

    def __init__(
        self, function: Callable[..., Any], doing: str, passing: tuple[type[Exception], ...] = ()
    ) -> None:
        self._function = unwrap(function.func if isinstance(function, partial) else function)
        self._doing = doing
        self._passing: tuple[type[Exception], ...] = (MedallionError, *passing)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, self._passing):
            said = shorten(f"raised {type(error).__name__}: {error}", LONGEST, placeholder=" ...")
            self.refuse(said.rstrip(".:"), error)

    def expect(self, found: Any, kind: type | tuple[type, ...], words: str) -> Any:
        """What the function returned; it is refused unless it is of a kind, which `words` name."""
        if not isinstance(found, kind):
            what = None if found is None else type(found).__name__
            self.refuse(f"returned {what} where {words} is needed")
        return found

    def refuse(self, problem: str, error: Exception | None = None) -> NoReturn:
        """Raise the error for a problem, such as `returned None`."""
        name = getattr(self._function, "__qualname__", type(self._function).__qualname__)
        code = getattr(self._function, "__code__", None)
        file, line = (code.co_filename, code.co_firstlineno) if code else ("built in", 0)
        for frame in traceback.extract_tb(error.__traceback__) if error else ():
            if frame.filename == file and frame.lineno:
                line = frame.lineno  # where it failed, rather than where the function begins
        file = os.path.relpath(file, PROJECT.parent) if code else file
        trace = "".join(traceback.format_exception(error)) if error else ""
        more = file, line, self._doing, problem, trace
        raise OwnCodeFailed(name.rpartition("<locals>.")[2], *more) from error
