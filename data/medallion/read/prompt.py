"""The SQL prompt of a terminal: lines that can be edited, completed and found again."""

from __future__ import annotations

import os
import re
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.application import Application, get_app
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.input.typeahead import get_typeahead, store_typeahead
from prompt_toolkit.keys import Keys
from prompt_toolkit.lexers import PygmentsLexer
from pygments.lexers.sql import SqlLexer

from ..errors import MedallionError
from ..host.command import Interrupted, say, when_ended
from ..settings import known_secrets

HELP = r"""A statement may take several lines; a semicolon ends it. The tables are those of .tables.
  .tables, \d               list the tables
  .schema silver, \d silver list the columns of a table, and what each is
  help, .help, \?           print this
  exit, quit, .quit, \q     end, as Ctrl-D does
Ctrl-C ends a query or a line, Tab completes a name, and the up arrow brings back what you typed."""
TABLES = """SELECT table_schema AS "schema", table_name AS "table", table_type AS "type"
FROM information_schema.tables ORDER BY ALL"""
COLUMNS = """SELECT schema_name || '.' || table_name AS "table", column_name AS "column",
data_type || CASE WHEN is_nullable THEN '' ELSE ' NOT NULL' END AS "type", comment
FROM duckdb_columns()
WHERE NOT internal AND table_name NOT IN (SELECT schema_name FROM duckdb_schemas())
AND '{name}' IN ('', schema_name, table_name, schema_name || '.' || table_name)
ORDER BY schema_name, table_name, column_index"""
"""Of the main flow's views, whose names are those of schemas, the tables are meant."""
ENDS = {"exit", "quit", ".exit", ".quit", ".q", r"\q"}
COMMAND = re.compile(r"(exit|quit|help|\.\w+|\\\S+)\s*(\S*?)\s*;?", re.IGNORECASE)
TICK_SECONDS = 0.05


def talk(answer: Callable[[str], None], words: Callable[[], list[str]]) -> None:
    """Answer statements and commands from the terminal until the user ends that.

    `answer` runs SQL and prints its results; `words` are those that Tab completes.
    """
    session: PromptSession[str] = PromptSession(
        "lake> ",
        completer=WordCompleter(words, ignore_case=True),
        complete_while_typing=False,
        history=_history(),
        lexer=PygmentsLexer(SqlLexer),
        multiline=Condition(lambda: not _is_whole(get_app().current_buffer.text)),
        prompt_continuation="  ... ",
    )
    print("Views: bronze, silver, rejected, gold. help lists the commands, exit ends.")
    # The keys stay keys all the time: as a signal, Ctrl-C would end the make that started us.
    with suppress(EOFError), session.input.raw_mode():
        while True:
            try:
                with _ending(session.app) as end:
                    text = _sql(session.prompt(pre_run=end, handle_sigint=False))
                with _heard(session.input):
                    answer(text)
            except Interrupted:
                raise
            except KeyboardInterrupt:
                say("Interrupted.")
            except MedallionError as error:
                say(known_secrets().text(str(error)))


@contextmanager
def _ending(app: Application[str]) -> Iterator[Callable[[], None]]:
    """Within the context, a signal ends the prompt, and then raises `Interrupted`.

    It ends the prompt through the prompt's event loop, since an exception that is raised there can
    be lost. Yields what the prompt must do at its start, for a signal that came before it.
    """
    given: list[int] = []

    def end() -> None:
        if given and app.future and not app.future.done():
            app.exit(result="")

    def note(number: int) -> None:
        given.append(number)
        if app.loop:
            app.loop.call_soon_threadsafe(end)

    before = when_ended(note)
    try:
        yield end
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if given:
            raise Interrupted(given[0])


def _sql(typed: str) -> str:
    """The SQL that was typed, or that a command stands for; EOFError if it is the end."""
    if not (found := COMMAND.fullmatch(typed.strip())):
        return typed
    word, name = found[1].lower(), found[2]
    if word in ENDS:
        raise EOFError
    if word == ".schema" or (word == r"\d" and name):
        return COLUMNS.format(name=name.replace('"', "").replace("'", "''").lower())
    if word in (".tables", r"\d", r"\dt"):
        return TABLES
    print(HELP)
    return ""


def _is_whole(text: str) -> bool:
    text = text.strip()
    return not text or text.endswith(";") or bool(COMMAND.fullmatch(text))


def _history() -> History:
    """The lines of earlier sessions too, in a file that only its user may read, if there can be."""
    with suppress(OSError, RuntimeError):  # no home, or one that cannot be written
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        file = Path(state, "medallion", "sql_history")
        file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600))
        return FileHistory(file)
    return InMemoryHistory()


@contextmanager
def _heard(keys: Input) -> Iterator[None]:
    """Within the context, Ctrl-C raises KeyboardInterrupt; other keys are for the next prompt."""
    over, main = threading.Event(), threading.get_ident()

    def listen() -> None:
        early = get_typeahead(keys)  # what the prompt has read beyond its line
        while not over.is_set() and not keys.closed:
            if early or select.select([keys], [], [], TICK_SECONDS)[0]:
                pressed, early = early or keys.read_keys(), []
                if any(one.key == Keys.ControlC for one in pressed):
                    signal.pthread_kill(main, signal.SIGUSR1)
                    return
                store_typeahead(keys, pressed)

    before = signal.signal(signal.SIGUSR1, signal.default_int_handler)
    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield
    finally:
        over.set()
        listener.join()
        signal.signal(signal.SIGUSR1, before)
