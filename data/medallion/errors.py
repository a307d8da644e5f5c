"""The root of all errors, and the errors that belong to no single subpackage.

The message of an error names the thing and the remedy. Its facts are fields, so that error logs,
tests and alerts need not parse text. Each subpackage has its own errors in its `errors.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

from typing_extensions import dataclass_transform


@dataclass_transform(eq_default=False)
class MedallionError(Exception):
    """Root of all errors of the pipeline. Each is a dataclass; `says` is message and docstring."""

    says: ClassVar[str]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.__doc__ = cls.__doc__ or getattr(cls, "says", None)
        dataclass(eq=False, repr=False)(cls)

    def __str__(self) -> str:
        """The message, with the facts in it; a list is joined by commas."""
        said = self.facts
        said |= {n: ", ".join(map(str, f)) for n, f in said.items() if isinstance(f, list)}
        return self.says.format_map(said)

    @property
    def facts(self) -> dict[str, Any]:
        """The fields by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle all fields, because `Exception` pickles only its arguments."""
        return type(self), tuple(self.facts.values())


class SettingError(MedallionError):
    """A setting is missing, malformed or contradicts another."""

    variable: str
    problem: str
    says = "{variable} {problem}; set it in the environment or in .env (see .env.example)."


class SettingsFileUnreadable(SettingError):
    """The file `.env` cannot be read; `variable` is its path."""

    says = "{variable} cannot be read ({problem}); save it as UTF-8 text that this user may read."


class TemporaryFolderUnusable(MedallionError):
    """The temporary folder is full or not writable."""

    folder: str
    reason: str
    says = (
        "The temporary folder {folder} cannot be used ({reason}); nothing was published. Free "
        "some space there, or set TMPDIR to another folder, then run again."
    )


class FlowError(MedallionError):
    """Base of the errors of a flow's declaration."""

    flow: str


class FlowMissing(FlowError):
    """The project has no flow with this name."""

    known: list[str]
    possible: bool  # whether a flow of this name may be made here

    def __str__(self) -> str:
        why = f", as data/{self.flow}/flow.py is missing" if self.possible else ""
        remedies = [f"choose one of {', '.join(self.known)}"] if self.known else []
        if self.possible:
            remedies.append(f"make it with make dataset NAME={self.flow}")
        elif not self.known:
            remedies.append("make one with make dataset NAME=")
        return f"There is no flow {self.flow!r}{why}; {', or '.join(remedies)}."


class FlowUnusable(FlowError):
    """A flow's declaration is invalid."""

    problem: str
    remedy: str
    says = "The flow {flow} cannot run: {problem}; {remedy} in data/{flow}/."


class OwnCodeFailed(MedallionError):
    """A flow's own function raised an error, or returned what it may not."""

    function: str
    file: str
    line: int
    doing: str
    problem: str
    trace: str
    says = "{function} ({file}, line {line}), asked for {doing}, {problem}; mend it and run again."


class DatasetTaken(FlowError):
    """Another flow has written the dataset."""

    dataset: str
    owner: str
    says = (
        "The flow {flow} cannot write {dataset}, which the flow {owner} has written; rename it "
        "in data/{flow}/, or remove that dataset if its flow is gone."
    )


class SecretBlanked(MedallionError):
    """Replaces an error that contained a secret: the same error without the secret."""

    kind: str
    message: str
    says = "{kind}: {message}"
