"""How a command ends: by a sentence that any terminal can show, and without a traceback."""

import os
import signal
import subprocess
import sys
import time

import pytest

from sandbox import ROOT

START = "import os, signal, sys, time\nfrom data.medallion.host.command import run\n"


def command(work, **options):
    """A process that does some work as every command does."""
    lines = "".join(f"    {line}\n" for line in work.splitlines())
    code = f"{START}def main():\n{lines}    return 0\nsys.exit(run(main, 'Interrupted: again.'))"
    environment = {**os.environ, **options}
    environment.pop("MAKELEVEL", None)
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.parametrize("encoding", ["iso-8859-1", "ascii", "cp1252:strict"])
def test_what_a_terminal_cannot_show_is_replaced(encoding):
    done = command("print('S\\u00e3o \\u2192 \\ud800 end.')", PYTHONIOENCODING=encoding)
    out, error = done.communicate(timeout=20)
    shown = "S?o" if encoding == "ascii" else "S\xe3o"
    assert out.decode(encoding.partition(":")[0]) == f"{shown} ? ? end.\n"
    assert (error, done.returncode) == (b"", 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("times", [1, 2])
def test_a_signal_ends_it_with_a_sentence_after_its_clean_up(number, times):
    with command(
        "try:\n"
        "    print('up', flush=True)\n"
        "    time.sleep(60)\n"
        "finally:\n"
        "    time.sleep(0.3)\n"
        "    print('tidy')"
    ) as process:
        assert process.stdout.readline() == b"up\n"
        for _ in range(times):
            process.send_signal(number)
            time.sleep(0.1)
        assert process.communicate(timeout=20) == (b"tidy\n", b"Interrupted: again.\n")
    assert process.returncode == 128 + number


def test_a_signal_that_nohup_ignores_is_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = command("os.kill(os.getpid(), signal.SIGHUP)\nprint('on')")
        assert process.communicate(timeout=20) == (b"on\n", b"")
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("flush", [True, False])
def test_an_output_that_nobody_reads_ends_it_quietly(flush):
    process = command(f"time.sleep(0.2)\nprint('x', flush={flush})")
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(20) == 128 + signal.SIGPIPE
