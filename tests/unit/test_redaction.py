"""Whatever a secret is, and however it is written, it does not show."""

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data.medallion.host.redaction import Redactor, secrets_in

WAYS = {
    "as it is": str,
    "in JSON": json.dumps,
    "in JSON beyond ASCII": lambda text: json.dumps(text, ensure_ascii=False),
    "by repr": repr,
    "by ascii": ascii,
    "as bytes": lambda text: repr(text.encode()),
    "in a path": quote,
    "in a query": quote_plus,
    "in an address": lambda text: quote(text, safe=""),
    "in lower case": lambda text: re.sub("%..", lambda code: code[0].lower(), quote(text)),
    "in a page": html.escape,
    "in base64": lambda text: base64.b64encode(text.encode()).decode(),
    "in an error of an error": lambda text: repr(ValueError(f"Invalid header {text.encode()!r}")),
}


@pytest.mark.parametrize("way", WAYS)
@given(secret=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=4))
@example(secret="clé/é+ß=")
@example(secret="a'b\"c<d>&")
@example(secret="line\nbreak\ttab")
def test_no_form_of_any_secret_shows_and_what_is_around_it_stays(way, secret):
    blanked = Redactor([secret, ""]).text(f"\0{WAYS[way](secret)}\0")
    assert (blanked[0], blanked[-1]) == ("\0", "\0") and "***" in blanked
    assert not Redactor([secret]).shows(blanked.replace("***", ""))


def test_no_secret_blanks_nothing():
    for none in ([], [""], ["", ""]):
        assert Redactor(none).text("every letter stays") == "every letter stays"
        assert not Redactor(none).shows("any")


def test_one_secret_in_another_is_blanked_whole():
    assert Redactor(["key", "key-of-keys"]).text("a key-of-keys, a key") == "a ***, a ***"


def test_values_are_blanked_in_depth():
    class Odd:
        def __str__(self):
            return "odd canary"

    plain = {"n": 1, "x": None, "y": True}
    told = {"canary": ["a canary", plain], "path": Odd(), "t": ("canary",)}
    blanked = {"***": ["a ***", plain], "path": "odd ***", "t": ["***"]}
    assert Redactor(["canary"]).value(told) == blanked


def test_secrets_are_known_by_their_names():
    secret = {
        "MINIO_ACCESS_KEY": "access\n", "MINIO_SECRET_KEY": "secret", "AWS_ACCESS_KEY_ID": "aws",
        "MINIO_READER_SECRET_KEY": "reader", "STATIONS_API_TOKEN": "token", "JWT_SECRET": "jwt",
        "LAKE_READER_SECRET": "lake", "ALERT_SLACK_URL": "https://hooks/x",
    }  # fmt: skip
    others = {
        "STATIONS_API_URL": "https://api.test/stations", "http_proxy": "http://proxy:3128",
        "MINIO_ENDPOINT": "not-secret:9000", "AWS_PROFILE": "not-secret", "SSH_KEY": "not ours",
        "PATH": "/bin", "HTTPS_PROXY": "http://me:p%40ss@proxy:3128",
    }  # fmt: skip
    found = set(secrets_in({**secret, **others})) - {""}
    assert found == {*secret.values(), "access", "p%40ss", "p@ss"}
