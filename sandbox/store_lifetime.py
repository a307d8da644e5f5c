"""The lifetime of an embedded store: starts SeaweedFS, and ends it after its last user.

`python -m sandbox.store_lifetime FOLDER FLAGS...` is not a child of the command that starts it,
because that command may end before later users of the store. SeaweedFS comes from the package
index. It serves only loopback, and requires keys.
"""

from __future__ import annotations

import fcntl
import os
import random
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO

from data.medallion.host.command import when_ended

from .problems import SandboxError, in_words, using
from .store import (
    ENV_FILE,
    RUNNING,
    START_SECONDS,
    STOP_SECONDS,
    USERS,
    WRITTEN,
    StoreFailed,
    healthy,
    lock,
    write_private,
)

GRPC_OFFSET = 10_000  # each port of weed has a second one for gRPC, higher by this
PORTS = range(12_000, 22_000)  # both ports stay below the ephemeral range
FREE_MIB = 64
WEED = "weed.pid"
"""The file in a store's folder with the number of its process, while it runs."""


def main(folder: Path, flags: Sequence[str]) -> None:
    """Run the store of a folder, unless it runs; print why if that fails."""
    try:
        if os.fork():
            return  # the child becomes an orphan, so nobody must wait for it
        with using(folder / RUNNING):
            held = (folder / RUNNING).open("a")
        with held:
            if lock(held, fcntl.LOCK_EX):
                _run(folder, flags)
    except SandboxError as error:
        print(error)
    except OSError as error:
        print(in_words(error))


def _run(folder: Path, flags: Sequence[str]) -> None:
    data, log, settings = folder / "data", folder / "weed.log", folder / ENV_FILE
    with using(folder):
        settings.unlink(missing_ok=True)
        data.mkdir(exist_ok=True)
        # This file of an earlier start would override the flags below.
        (data / "mini.options").unlink(missing_ok=True)
        _refuse_a_full_disk(folder)
    _end_orphan(folder)
    access_key, secret_key = f"lake-{secrets.token_hex(4)}", secrets.token_urlsafe(30)
    ports = _free_ports(4)
    *_, s3 = ports
    credentials = {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key}
    with using(log):
        output = log.open("w")
    with output, (folder / USERS).open("a") as users:
        weed = _weed([*_flags(folder, ports), *flags], folder, credentials, output)
        end = partial(_end, weed, folder)

        def end_when_unused() -> None:
            fcntl.flock(users, fcntl.LOCK_EX)
            settings.unlink(missing_ok=True)
            end()

        threading.Thread(target=end_when_unused, daemon=True).start()
        when_ended(lambda _: threading.Thread(target=end, daemon=True).start())
        try:
            _wait_until_ready(weed, s3, log)
            write_private(settings, _settings(s3, access_key, secret_key))
            _let_go_of_output()
            weed.wait()
        finally:
            weed.kill()
            for file in (settings, folder / WEED, folder / WRITTEN):
                file.unlink(missing_ok=True)


def _end(weed: subprocess.Popen[bytes], folder: Path) -> None:
    """End the store: at once if it was only read, since it survives that, and else in time."""
    if (folder / WRITTEN).exists():
        weed.terminate()
        with suppress(subprocess.TimeoutExpired):
            weed.wait(STOP_SECONDS)
    weed.kill()


def _settings(s3: int, access_key: str, secret_key: str) -> dict[str, str]:
    """The settings that the store's users need."""
    return {
        "MINIO_ENDPOINT": f"127.0.0.1:{s3}",
        "MINIO_ACCESS_KEY": access_key,
        "MINIO_SECRET_KEY": secret_key,
        "MINIO_SESSION_TOKEN": "",
        "MINIO_REGION": "us-east-1",  # any; without one, each client asks
        "MINIO_SECURE": "false",
    }


def _flags(folder: Path, ports: Sequence[int]) -> list[str]:
    """The flags of SeaweedFS on four ports, the last one for S3, in the folder of its data."""
    master, volume, filer, s3 = ports
    return [
        *("-alsologtostderr=false", f"-logdir={folder}", "-stderrthreshold=FATAL", "mini"),
        *("-dir=data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"),
        *(f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}"),
        *(f"-s3.port={s3}", "-s3.port.iceberg=0", "-s3.port.lance=0"),
        *("-webdav=false", "-admin.ui=false"),
        *("-s3.allowDeleteBucketNotEmpty=false", "-s3.autoCreateBucket=false"),
    ]


def _refuse_a_full_disk(folder: Path) -> None:
    free = shutil.disk_usage(folder).free >> 20
    if free < FREE_MIB:
        raise StoreFailed(
            f"The disk of {folder} has {free} MiB left and the embedded store needs {FREE_MIB}: "
            "free some space."
        )


def _end_orphan(folder: Path) -> None:
    """End a store that was left alone, since this process was killed."""
    with suppress(OSError, ValueError):
        number = int((folder / WEED).read_text())
        import psutil  # which takes a while, and is rarely needed

        with suppress(psutil.Error):
            orphan = psutil.Process(number)
            if orphan.cwd() == str(folder):
                orphan.kill()
                orphan.wait(STOP_SECONDS)


def _weed(
    flags: Sequence[str], folder: Path, credentials: Mapping[str, str], output: IO[str]
) -> subprocess.Popen[bytes]:
    """Start SeaweedFS in a folder: it would take a comma in the path of its data for two paths."""
    command = [_program(), *flags]
    try:
        weed = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **credentials},
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except OSError as error:
        raise StoreFailed(f"{command[0]} cannot be started: {error.strerror}.") from None
    (folder / WEED).write_text(str(weed.pid))
    return weed


def _program() -> str:
    """The path of the program: beside this Python, or on the PATH."""
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    if found is None:
        raise StoreFailed(
            "The program weed is missing; run `make setup` to install it. It is not made for "
            "Intel Macs: there, start the stack with `make up`, or set MINIO_ENDPOINT and the keys."
        )
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


def _wait_until_ready(weed: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not healthy(f"127.0.0.1:{port}"):
        if weed.poll() is not None:
            raise StoreFailed(
                f"The embedded store ended with {weed.returncode}{_last_word(log)}; see {log}."
            )
        if time.monotonic() > deadline:
            raise StoreFailed(f"The embedded store did not respond in time; see {log}.")
        time.sleep(0.05)


def _last_word(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f" ({last.rstrip('.')})" if last else ""


def _let_go_of_output() -> None:
    """Close the output: the process that started us reads it to its end, then uses the store."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nothing, number)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
