"""The errors of the threads or the Dask cluster that run the tasks."""

# ruff: noqa: D101 - the message of an error is its docstring

from __future__ import annotations

from ..errors import MedallionError


class EngineError(MedallionError):
    """Base of the errors of the threads or the Dask cluster."""


class ClusterUnreachable(EngineError):
    address: str
    reason: str
    says = (
        "No Dask scheduler can be reached at {address} ({reason}); check "
        "DASK_SCHEDULER_ADDRESS and that it is up, or unset it to run on this machine."
    )


class ClusterEmpty(EngineError):
    address: str
    waited: float
    says = (
        "The Dask scheduler at {address} had no worker in {waited:g} s; start some, or unset "
        "DASK_SCHEDULER_ADDRESS to run on this machine."
    )


class WorkersFailed(EngineError):
    where: str
    doing: str
    reason: str
    says = (
        "The workers of {where} failed at {doing} ({reason}); the previous version stays "
        "published. Look at their memory and logs, then run again."
    )


class ThreadsRefused(EngineError):
    reason: str
    says = (
        "This machine starts no more threads ({reason}); the previous version stays published. "
        "Raise its limit of threads or memory, or lower LAKE_THREADS, then run again."
    )


class WorkerDiffers(EngineError):
    """A worker has another version of the code, so its rows could differ."""

    version: str
    ours: str
    says = (
        "A Dask worker has code {version} where this process has {ours}; start the workers "
        "from the same image or checkout."
    )
