"""The commands that read a lake. None of them makes one."""

from __future__ import annotations

import argparse
import signal
import webbrowser
from collections.abc import Sequence
from contextlib import suppress

from data.medallion import project
from data.medallion.flow import Flow
from data.medallion.host.command import Interrupted
from data.medallion.lake.errors import BucketMissing
from data.medallion.lake.lake import Lake
from data.medallion.lake.runs import now
from data.medallion.read import __main__ as reader
from data.medallion.settings import Folders, LakeSettings

from .lakes import lake_there, variables
from .problems import SandboxError
from .store import embedded_store


def read(chosen: argparse.Namespace) -> int:
    """Read the configured or the embedded lake: SQL, versions, changes, a check."""
    known = project.load_all()  # while the store starts
    with suppress(ImportError):  # which the reader explains, where it needs it
        import duckdb  # noqa: F401
    with variables(chosen.ready()):
        _refuse_an_empty(Lake.connect(LakeSettings.load()), known)
        return reader.answer(chosen)


def report(chosen: argparse.Namespace) -> int:
    """Make the page of a flow's lake as a local file, from the configured or the embedded store."""
    from data.medallion.report import publishing

    flow = project.load(chosen.flow)
    with variables(chosen.ready()):
        settings = LakeSettings.load()
        lake = Lake.connect(settings)
        _refuse_an_empty(lake, [flow])
        file, facts = publishing.write(lake, flow, settings, now())
    for sentence in facts.missing:
        print(f"  missing  {sentence}")
    print(f"  page     {file}")
    return 0


def show(chosen: argparse.Namespace) -> int:
    """Show a flow's page in the browser."""
    from data.medallion.report.publishing import local_file

    page = local_file(project.load(chosen.flow), Folders.load().visualizations)
    if not page.exists():
        raise SandboxError(f"There is no page {page} yet: make report or make demo makes it.")
    if not webbrowser.open(page.as_uri()):
        raise SandboxError(f"No browser is found here: open {page} in one, or name it by BROWSER.")
    print(f"  page     {page}")
    return 0


def store(chosen: argparse.Namespace) -> int:
    """Serve only the embedded store, until interrupted."""
    flow = project.load(chosen.flow)
    folder = lake_there(chosen.lake)
    with suppress(Interrupted), embedded_store(folder) as environment:
        print(
            f"The object store listens at http://{environment['MINIO_ENDPOINT']}; its address and "
            f"keys are in {folder / 'store.env'} while it runs. Ctrl-C ends it.\n"
            f"{flow.name}: {', '.join(f'{d.layer}/{d.prefix}' for d in flow.datasets)}",
            flush=True,
        )
        signal.pause()
    return 0


def _refuse_an_empty(lake: Lake, known: Sequence[Flow]) -> None:
    for dataset in (dataset for flow in known for dataset in flow.datasets):
        with suppress(BucketMissing):
            if lake.store.listed(dataset.layer, dataset.prefix):
                return
    raise SandboxError(
        "Nothing is published in this lake yet: finish a run in it, or read another by LAKE=..."
    )
