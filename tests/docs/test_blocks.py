"""Every fenced block is what it says it is; a language that nobody checks is refused."""

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


LANGUAGES = {
    "diff": lambda text: text.startswith("--- a/") or pytest.fail(text),  # applied by tests/guide
    "bash": len,  # by test_commands.py
    "python": len,  # run by tests/pipeline/test_recipes.py
    "text": len,
    "ini": is_dotenv,
    "json": json.loads,
    "sql": duckdb.extract_statements,
    "yaml": yaml.safe_load,
}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_block_is_found_and_is_what_it_says(page):
    assert len(re.findall(r"^ *```", page.text, re.MULTILINE)) == 2 * len(page.blocks)
    for block in page.blocks:
        LANGUAGES[block.language](block.text)


def test_the_error_that_is_shown_is_as_it_is_raised():
    attempts = "BREWERIES_API_ATTEMPTS"
    busy, limit = ApiBusy("http://...", 500, None), f"{attempts} is {SETTINGS[attempts]}"
    error = ApiGaveUp(busy.url, 8, str(busy), limit, "BREWERIES_API_URL")
    *_, (_, shown) = (block for block in page("docs/running.md").blocks if block.language == "text")
    assert f"{type(error).__name__}: {error}".startswith(shown.strip().removesuffix("..."))
