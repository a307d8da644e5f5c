"""Every fenced block is what it says it is; a language that nobody checks is refused."""

from __future__ import annotations

import json
import re
from io import StringIO

import duckdb
import pytest
import yaml
from dotenv import dotenv_values

from data.medallion.source.errors import ApiBusy, ApiGaveUp
from tests.docs.code import COMPOSE_SETTINGS, OF_A_FLOW, SETTINGS
from tests.docs.pages import PAGES, page


def is_dotenv(text):
    of_any_flow = rf"[A-Z]\w*_({'|'.join(OF_A_FLOW)})"
    for name in dotenv_values(stream=StringIO(text)):
        assert name in SETTINGS | COMPOSE_SETTINGS or re.fullmatch(of_any_flow, name), name


def is_applied(text):
    """To the code, by tests/guide."""
    assert text.startswith("--- a/")


LANGUAGES = {
    "diff": is_applied,
    "bash": len,  # by test_commands.py
    "python": len,  # by tests/pipeline/test_recipes.py, which runs it
    "text": len,
    "ini": is_dotenv,
    "json": json.loads,
    "sql": duckdb.extract_statements,
    "yaml": yaml.safe_load,
}
BLOCKS = [(str(page), block) for page in PAGES for block in page.blocks]


@pytest.mark.parametrize(("page", "block"), BLOCKS, ids=[f"{p}-{b.language}" for p, b in BLOCKS])
def test_a_block_is_what_it_says(page, block):
    LANGUAGES[block.language](block.text)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_block_is_found(page):
    assert len(re.findall(r"^ *```", page.text, re.MULTILINE)) == 2 * len(page.blocks)


def test_the_error_that_is_shown_is_as_it_is_raised():
    busy = ApiBusy("http://...", 500, None)
    limit = f"{ATTEMPTS} is {SETTINGS[ATTEMPTS]}"
    error = ApiGaveUp(busy.url, 8, str(busy), limit, "BREWERIES_API_URL")
    *_, (_, shown) = (block for block in page("docs/running.md").blocks if block.language == "text")
    assert f"{type(error).__name__}: {error}".startswith(shown.strip().removesuffix("..."))


ATTEMPTS = "BREWERIES_API_ATTEMPTS"
