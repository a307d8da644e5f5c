"""The prompt of `make sql`, in a real terminal."""

import signal
import stat
import sys
from contextlib import contextmanager

import pexpect
import pytest

from tests.programs import environment

pytestmark = pytest.mark.server
COMMAND = ["-m", "data.medallion.read", "sql", "--flow", "breweries"]
LONG = "SELECT count(*) FROM range(10000000) a, range(1000000) b WHERE a.range * b.range % 7 = 3;"
SECONDS = 60


@pytest.fixture
def prompt(past, tmp_path):
    """Opens the prompt in a terminal, 60 columns wide, whose history is this test's."""

    @contextmanager
    def opened():
        settings = {**environment(), "XDG_STATE_HOME": str(tmp_path), "TERM": "xterm"}
        settings["PROMPT_TOOLKIT_NO_CPR"] = "1"  # nobody here says where the cursor is
        terminal = pexpect.spawn(
            sys.executable, COMMAND, env=settings, encoding="utf-8", timeout=SECONDS,
            dimensions=(40, 60),
        )  # fmt: skip
        try:
            terminal.expect("lake>")
            yield terminal
        finally:
            terminal.close(force=True)

    return opened


def ended(terminal) -> int | None:
    terminal.expect(pexpect.EOF)
    terminal.wait()
    assert "Traceback" not in terminal.before
    return terminal.exitstatus


@pytest.mark.parametrize("word", ["QUIT;", "\x04"])
def test_the_words_of_other_prompts_end_it(prompt, word):
    with prompt() as terminal:
        terminal.send(word if word == "\x04" else f"{word}\r")
        assert ended(terminal) == 0


def test_ctrl_c_ends_a_query_or_a_line_and_not_the_session(prompt):
    with prompt() as terminal:
        terminal.send("SELECT nonsense\x03")
        terminal.expect("Interrupted.*lake>")
        terminal.send(f"{LONG}\r")
        terminal.expect(";.*\n")
        terminal.sendintr()
        terminal.expect("Interrupted.*lake>")
        terminal.send("SELECT count(*) FROM range(400000000);\rSELECT 40 + 2 AS n;\r")  # ahead
        terminal.expect("400000000.*42 ")
        terminal.send("exit\r")
        assert ended(terminal) == 0


@pytest.mark.parametrize("busy", [True, False])
def test_a_signal_from_elsewhere_ends_it(prompt, busy):
    with prompt() as terminal:
        if busy:
            terminal.send(f"{LONG}\r")
            terminal.expect(";.*\n")
        terminal.kill(signal.SIGTERM)
        assert ended(terminal) == 128 + signal.SIGTERM


def test_a_newcomer_is_answered_and_finds_it_in_the_history(prompt, tmp_path):
    with prompt() as terminal:
        for typed, shown in [
            ("help", "Ctrl-C ends"),
            (".tables", "state_brewery_type"),
            (r"\d gold", "brewery_count"),
            ("SELECT name\rFROM silver\rWHERE false;", "0 rows"),
            ("SELECT nome FROM silver;", "SHOW ALL TABLES"),
            ("SELEC;", "syntax error"),
            ("SELECT brewery_ty\t IS NULL AS missing FROM silver;", "missing"),
            ("FROM silver LIMIT 1;", "shown"),
        ]:
            terminal.send(f"{typed}\r")
            terminal.expect(shown)
            terminal.expect("lake>")
        assert max(map(len, terminal.before.splitlines())) <= 60
        terminal.send(r"\q" + "\r")
        ended(terminal)
    (history,) = tmp_path.rglob("sql_history")
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    with prompt() as terminal:
        terminal.send("\x1b[A\x1b[A")  # up: exit, and the one before
        terminal.expect("LIMIT")
